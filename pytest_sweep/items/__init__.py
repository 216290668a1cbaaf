"""What both sides know about pytest items: how a sweep becomes items, which fixtures they keep, how their reports travel. Knows no Ray."""
