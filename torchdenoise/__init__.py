"""Image denoising, from one noisy picture or from a data set, behind one Lightning interface.

The public names are loaded on first use, so that ``import torchdenoise`` costs nothing.

Example:
    >>> from torchdenoise import denoise
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from torchdenoise.benchmarking import compare
    from torchdenoise.data import DenoisingData, ImageFolder, SingleImage
    from torchdenoise.denoisers import (
        ZSN2N,
        Denoiser,
        DenoisingLoss,
        DiagonalDownsampler,
        Downsampler,
        EightTurns,
        Network,
        OnePass,
        Readout,
        SmallCNN,
        Stage,
        ZSN2NLoss,
    )
    from torchdenoise.errors import UserError
    from torchdenoise.fitting import denoise
    from torchdenoise.noise import GaussianNoise, NoiseModel, PoissonNoise, from_spec

_HOMES = {
    "errors": ["UserError"],
    "noise": ["GaussianNoise", "NoiseModel", "PoissonNoise", "from_spec"],
    "data": ["DenoisingData", "ImageFolder", "SingleImage"],
    "denoisers": [
        "ZSN2N",
        "Denoiser",
        "DenoisingLoss",
        "DiagonalDownsampler",
        "Downsampler",
        "EightTurns",
        "Network",
        "OnePass",
        "Readout",
        "SmallCNN",
        "Stage",
        "ZSN2NLoss",
    ],
    "fitting": ["denoise"],
    "benchmarking": ["compare"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ZSN2N",
    "Denoiser",
    "DenoisingData",
    "DenoisingLoss",
    "DiagonalDownsampler",
    "Downsampler",
    "EightTurns",
    "GaussianNoise",
    "ImageFolder",
    "Network",
    "NoiseModel",
    "OnePass",
    "PoissonNoise",
    "Readout",
    "SingleImage",
    "SmallCNN",
    "Stage",
    "UserError",
    "ZSN2NLoss",
    "compare",
    "denoise",
    "from_spec",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'torchdenoise' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"torchdenoise.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
