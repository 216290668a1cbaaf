"""The script that a worker's process starts with: what execnet wants to have run, without a folder of the user's on the import path.

execnet starts ``python -c``, which imports from the working directory before the standard library: there, a user's ``queue.py`` would
keep the process from starting. The driver's import path is taken over later, when all that a worker needs is imported.
"""

import sys

if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # The folder of this script.
_code = sys.argv[-1]
sys.argv = ["-c"]
del __file__  # As with -c: multiprocessing would run this script in each process that it spawns.
exec(_code)
