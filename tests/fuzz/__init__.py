"""Everything that reads what others wrote, fed with anything: by hypothesis in the suite, guided by coverage in ``tox -e fuzz``."""
