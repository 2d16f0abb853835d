"""Comparisons that a referee would accept: the same noisy pictures for all methods, nothing done twice."""

from torchdenoise.benchmarking.comparing import compare

__all__ = ["compare"]
