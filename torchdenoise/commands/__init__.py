"""The commands of ``torchdenoise``: modules with a function ``run(words) -> exit code``."""
