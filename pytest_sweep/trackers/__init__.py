"""Sends what a run stores to trackers, such as TensorBoard: from a process of its own, which reads the database. No pytest, no Ray."""
