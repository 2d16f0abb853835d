"""Noise2Clean: Noise2Noise's network and loss with the clean picture as target, the ceiling of the others."""

from torchdenoise.denoisers.noise2noise import SOURCE, Noise2Noise


class Noise2Clean(Noise2Noise, source=SOURCE):
    """Noise2Clean: supervised training towards the clean picture (data with ``target: clean``).

    The same parts as ``Noise2Noise``, whose constructor it has.

    Example:
        >>> sum(p.numel() for p in Noise2Clean().parameters())
        991203
    """
