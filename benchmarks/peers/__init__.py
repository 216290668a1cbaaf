"""The peers: other ways to run the same trials, each a whole program."""
