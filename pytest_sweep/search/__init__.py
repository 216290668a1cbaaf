"""What to try next and what to stop: searchers, schedulers, their protocols. Pure: no clock, no thread, no pytest, no Ray."""
