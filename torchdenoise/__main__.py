"""Entry point of ``python -m torchdenoise``."""

from torchdenoise.cli import script

script()
