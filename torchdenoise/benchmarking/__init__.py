"""Comparisons: all methods on the same noisy pictures, in a folder that a later run resumes."""

from torchdenoise.benchmarking.comparing import compare

__all__ = ["compare"]
