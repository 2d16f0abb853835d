"""The commands behind ``torchdenoise``, a module each with ``run(words) -> exit code``."""
