"""A pytest session that runs trials, and what a trial sees of it. Knows pytest; knows neither the engine nor Ray."""
