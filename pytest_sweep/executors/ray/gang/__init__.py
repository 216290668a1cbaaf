"""Several processes for one trial, each in a bundle of its placement group."""
