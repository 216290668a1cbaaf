"""Where to do it: places that run trials, interchangeable by the contract in `engine.port`. Ray is imported in `ray` only."""
