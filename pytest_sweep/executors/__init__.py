"""Where to do it: places that run trials, interchangeable by the contract in `base`. Ray is imported in `ray` only."""
