"""Other plugins on the driver: pytest-xdist, pytest-rerunfailures and those that know their workers."""
