"""``pgm.py`` is the user's: collecting it for doctests would register its format in every test."""

collect_ignore = ["pgm.py"]
