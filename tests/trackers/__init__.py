"""Tests of trackers with the packages and the servers that they are for; needs the dependency group `trackers`."""
