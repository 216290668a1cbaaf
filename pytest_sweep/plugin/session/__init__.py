"""The order of a session with ``--sweep``: what runs when, what is resumed, and how it ends."""
