"""Searchers and schedulers in virtual time: problems with known learning curves, played by contestants on simulated workers."""
