"""Tests of trackers with what reads them for users: run by `tox -e trackers`."""
