"""Speed, measured as a ratio: whole processes in turn on one machine, since times on busy machines compare with nothing else."""
