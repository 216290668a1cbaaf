"""Speed, measured as a ratio: whole processes in turn on one machine, since times on busy machines compare with nothing else.

``python -m benchmarks`` runs all cases beside their peers and prints a table; ``--short`` compares what is quick with baseline.json.
"""
