"""What to do next: decisions about trials and workers, and the one loop that drives them. Imports neither pytest nor Ray."""
