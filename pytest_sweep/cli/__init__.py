"""The command ``pytest-sweep``: looks at stored runs, and puts them in order. Collects no tests, and starts no executor."""
