"""For those who write executors and stores: contract suites that hold each of them to the same behaviour."""
