"""Entry point of ``python -m torchdenoise``."""

import os
import sys

# Python searches the working folder first, for this start only: nothing below, not even pathlib, may come from there.
# In a checkout the program itself lies in the working folder, which stays.
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
if not sys.flags.safe_path and sys.path[0] != _HOME:
    del sys.path[0]

from torchdenoise.cli import script  # noqa: E402

script()
