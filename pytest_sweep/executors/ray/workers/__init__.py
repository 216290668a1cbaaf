"""The worker processes of a run on Ray: reserved, started, heard of, ended."""
