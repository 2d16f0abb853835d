"""Optional packages, imported where they are used."""

import importlib
from typing import Any

from torchdenoise.errors import UserError


def optional_module(module: str, remedy: str) -> Any:
    """Import and return an optional module.

    Args:
        module: its import path.
        remedy: the error message, with the command that installs it.

    Raises:
        UserError: it is not installed, and the message is ``remedy``; or a library that it brings cannot be loaded.

    Example:
        >>> optional_module("json", "Python comes with it").loads("[1]")
        [1]
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(remedy) from None
    except OSError as error:  # a package for another processor
        raise UserError(f"{module} cannot be loaded ({error}); install one for this processor") from error


EXPORTED = {".onnx": "onnx", ".pt2": "pt2", ".zip": "bioimage"}
"""The formats of exported networks, by the ending of a file's name."""


def onnx_runtime() -> Any:
    """Return the module ``onnxruntime``, once all that writes ONNX files is there.

    Raises:
        UserError: the extra is missing.
    """
    remedy = "ONNX needs an extra: pip install 'torchdenoise[onnx]'"
    optional_module("onnxscript", remedy)
    return optional_module("onnxruntime", remedy)


def bioimage_checks() -> Any:
    """Return the module ``bioimageio.core``.

    Raises:
        UserError: the extra is missing.
    """
    return optional_module("bioimageio.core", "bioimage.io needs an extra: pip install 'torchdenoise[bioimage]'")


def plotting() -> Any:
    """Return the module ``matplotlib``.

    Raises:
        UserError: the extra is missing.
    """
    return optional_module("matplotlib", "figures need an extra: pip install 'torchdenoise[figures]'")
