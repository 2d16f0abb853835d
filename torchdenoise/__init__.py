"""Image denoising, from one noisy picture or from a data set, behind one Lightning interface.

Public names are imported on first use, so that ``import torchdenoise`` is fast.

Example:
    >>> from torchdenoise import denoise
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchdenoise.benchmarking import compare
    from torchdenoise.data import DenoisingData, ImageFolder, PairFolder, SingleImage
    from torchdenoise.denoisers import (
        ZSN2N,
        Denoiser,
        DenoisingLoss,
        DiagonalDownsampler,
        Domain,
        Downsampler,
        EightTurns,
        Network,
        OnePass,
        Readout,
        SingleStage,
        SmallCNN,
        Stage,
        ZSN2NLoss,
        load,
    )
    from torchdenoise.errors import (
        AssumptionWarning,
        CheckpointError,
        DataError,
        PictureError,
        RecipeError,
        Stopped,
        UserError,
    )
    from torchdenoise.fitting import denoise
    from torchdenoise.noise import GaussianNoise, NoiseModel, PoissonNoise, from_spec

_HOMES = {
    "errors": [
        "AssumptionWarning",
        "CheckpointError",
        "DataError",
        "PictureError",
        "RecipeError",
        "Stopped",
        "UserError",
    ],
    "noise": ["GaussianNoise", "NoiseModel", "PoissonNoise", "from_spec"],
    "data": ["DenoisingData", "ImageFolder", "PairFolder", "SingleImage"],
    "denoisers": [
        "ZSN2N",
        "Denoiser",
        "DenoisingLoss",
        "DiagonalDownsampler",
        "Domain",
        "Downsampler",
        "EightTurns",
        "Network",
        "OnePass",
        "Readout",
        "SingleStage",
        "SmallCNN",
        "Stage",
        "ZSN2NLoss",
        "load",
    ],
    "fitting": ["denoise"],
    "benchmarking": ["compare"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ZSN2N",
    "AssumptionWarning",
    "CheckpointError",
    "DataError",
    "Denoiser",
    "DenoisingData",
    "DenoisingLoss",
    "DiagonalDownsampler",
    "Domain",
    "Downsampler",
    "EightTurns",
    "GaussianNoise",
    "ImageFolder",
    "Network",
    "NoiseModel",
    "OnePass",
    "PairFolder",
    "PictureError",
    "PoissonNoise",
    "Readout",
    "RecipeError",
    "SingleImage",
    "SingleStage",
    "SmallCNN",
    "Stage",
    "Stopped",
    "UserError",
    "ZSN2NLoss",
    "compare",
    "denoise",
    "from_spec",
    "load",
]


if os.environ.get("TORCHDENOISE_IMPORT_FOLDER"):  # a child process of a command: it finds the user's modules, too
    importlib.import_module("torchdenoise.user_modules").install()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("torchdenoise")
        except PackageNotFoundError:  # a checkout that is not installed
            return "unknown"
    if name not in _HOME_OF:
        raise AttributeError(f"module 'torchdenoise' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"torchdenoise.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
