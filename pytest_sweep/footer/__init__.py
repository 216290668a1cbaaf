"""Lines below the output of a program on a terminal. Knows nothing of what they say, and nothing of sweeps.

The cursor stays where the program's own output ends, and the footer is drawn below it. So the output needs no care: before a line
ends, all below the cursor is erased. What scrolls off the top of the screen is output only, whatever the width of the terminal
has become since the footer was drawn. The cursor is never hidden, and is where a shell's next prompt belongs at any moment.
"""

from pytest_sweep.footer.drawing import Footer

__all__ = ["Footer"]
