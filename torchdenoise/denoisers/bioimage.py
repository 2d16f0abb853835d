"""Packages for bioimage.io, a collection of networks for microscopy."""

import importlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchdenoise.errors import UserError
from torchdenoise.extras import bioimage_checks

SMALLEST = 2
"""Height and width of an image that the network takes; of larger ones every size."""
README = """\
# {content}

Written by torchdenoise. Input: values in 0..1; output: the same picture without its noise, not clipped.

## Validation

Compare denoised pictures with clean ones of the same scenes before you measure on them.
"""


def write_package(
    path: Path, onnx: Path, opset: int, content: str, noisy: NDArray[np.float32], clean: NDArray[np.float32]
) -> None:
    """Write a network in an ONNX file as a package, which bioimage.io's own program checks before.

    Args:
        path: of the package, a zip file.
        onnx: the file, with the input ``noisy`` and the output ``clean``.
        opset: version of its operators.
        content: what the network is, in one line.
        noisy: images ``(B, C, H, W)``, by which the package is tested.
        clean: what the network makes of them.

    Raises:
        UserError: the extra is missing, or bioimage.io's program refuses the package.
    """
    checks, spec = bioimage_checks(), importlib.import_module("bioimageio.spec")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        np.save(folder / "noisy.npy", noisy)
        np.save(folder / "clean.npy", clean)
        text = README.format(content=content)
        (folder / "README.md").write_text(text, encoding="utf-8")
        shutil.copy(onnx, folder / "network.onnx")
        described = _description(folder, opset, content, noisy.shape[1])
        package = spec.save_bioimageio_package(described, output_path=folder / "package.zip")
        summary = checks.test_description(package)
        if summary.status != "passed":
            errors = "; ".join(each.msg for part in summary.details for each in part.errors)
            raise UserError(f"bioimageio.core says: {summary.status} ({' '.join(errors.split())[:200]})")
        shutil.copyfile(package, path)


def _description(folder: Path, opset: int, content: str, channels: int) -> Any:
    """Return bioimage.io's description of the files in a folder."""
    model: Any = importlib.import_module("bioimageio.spec.model.v0_5")

    def file(name: str) -> Any:
        return model.FileDescr(source=folder / name)

    names = ["red", "green", "blue"] if channels == 3 else [f"channel{number + 1}" for number in range(channels)]
    common = [model.BatchAxis(), model.ChannelAxis(channel_names=[model.Identifier(name) for name in names])]
    size = model.ParameterizedSize(min=SMALLEST, step=1)
    sides = [model.AxisId(name) for name in ("y", "x")]
    noisy = model.TensorId("noisy")
    same = [model.SizeReference(tensor_id=noisy, axis_id=side) for side in sides]
    return model.ModelDescr(
        name="denoising network of torchdenoise",
        description=content,
        documentation=file("README.md"),
        tags=["denoising", "image-restoration", "2d"],
        inputs=[
            model.InputTensorDescr(
                id=noisy,
                axes=[*common, *(model.SpaceInputAxis(id=side, size=size) for side in sides)],
                test_tensor=file("noisy.npy"),
                data=model.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
            )
        ],
        outputs=[
            model.OutputTensorDescr(
                id=model.TensorId("clean"),
                axes=[
                    *common,
                    *(model.SpaceOutputAxis(id=side, size=each) for side, each in zip(sides, same, strict=True)),
                ],
                test_tensor=file("clean.npy"),
            )
        ],
        weights=model.WeightsDescr(onnx=model.OnnxWeightsDescr(source=folder / "network.onnx", opset_version=opset)),
    )
