"""Formats of microscopes, scanners and telescopes; each needs a package of the extra bio."""
