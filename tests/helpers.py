"""What the tests share: small pictures, files of them, and the rows of comparisons."""

import csv
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from torchdenoise.data import Planes, open_planes, write_planes
from torchdenoise.noise import repeatable
from torchdenoise.recipes import load_recipe

needs_onnx = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnxscript", "onnxruntime")), reason="needs the extra [onnx]"
)
needs_bioimage = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnxscript", "onnxruntime", "bioimageio")),
    reason="needs the extra [bioimage]",
)


def scene(height: int = 24, width: int = 28, channels: int = 3) -> NDArray[np.float64]:
    """Return a clean picture (H, W, C) in 0..1: a ramp, a disc and a bar, in other colours for each channel."""
    y, x = np.mgrid[0:height, 0:width]
    disc = ((y - height / 2) ** 2 + (x - width / 3) ** 2) < (min(height, width) / 4) ** 2
    planes = [0.2 + 0.4 * x / width + 0.3 * disc * (channel + 1) / channels for channel in range(channels)]
    picture = np.stack(planes, axis=-1)
    picture[height // 4 : height // 3, :, 0] = 0.9
    return picture


def noisy_scene(
    height: int = 24, width: int = 28, channels: int = 3, sigma: float = 25, seed: int = 0
) -> NDArray[np.float64]:
    """Return the scene with seeded, clipped Gaussian noise."""
    clean = scene(height, width, channels)
    return np.clip(clean + sigma / 255 * np.random.default_rng(seed).normal(size=clean.shape), 0, 1)


def clean_image(channels: int = 3, height: int = 41, width: int = 35) -> Tensor:
    """Return the scene as an image (1, C, H, W)."""
    return torch.from_numpy(scene(height, width, channels)).permute(2, 0, 1)[None].float()


def noisy_image(channels: int = 3, spec: str = "gaussian:25", seed: int = 0) -> Tensor:
    """Return the clean image with repeatable noise of a spec, not clipped."""
    return repeatable(spec, clean_image(channels), seed)


def correlated_noise() -> NDArray[np.float64]:
    """Return a grey picture whose noise neighbouring pixels share, as a camera's pictures have it."""
    noise = np.random.default_rng(0).normal(0, 40 / 255, (98, 98, 3))
    smeared = (noise[2:, 2:] + noise[1:-1, 2:] + noise[2:, 1:-1] + noise[1:-1, 1:-1]) / 2
    return np.clip(0.5 + smeared, 0, 1)


def clipped_noise() -> NDArray[np.float64]:
    """Return a picture whose values are mostly cut off at black, so that its noise cannot be measured."""
    return np.clip(np.random.default_rng(0).normal(-0.2, 50 / 255, (96, 96, 3)), 0, 1)


def random_pixels(shape: tuple[int, ...] = (9, 7), dtype: str = "uint8") -> NDArray[Any]:
    """Return random values: the full range of integers, up to 2^20, and 0..1 for floats."""
    random = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return random.random(shape).astype(dtype)
    return random.integers(0, min(np.iinfo(dtype).max, 1 << 20), shape, dtype=dtype, endpoint=True)


def save_picture(path: Path, array: NDArray[Any], **options: Any) -> Path:
    """Write an array as a picture file without any code of torchdenoise."""
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(array))
    elif path.suffix == ".jpg":
        Image.fromarray(array).save(path, **options)
    else:
        layout = {
            "photometric": "rgb" if array.ndim == 3 and array.shape[-1] > 2 else "minisblack",
            "planarconfig": "contig" if array.ndim == 3 else None,
            "extrasamples": ["unassalpha"] if array.ndim == 3 and array.shape[-1] in (2, 4) else None,
        }
        tifffile.imwrite(path, array, **layout | options)
    return path


def stored_pixels(path: Path) -> NDArray[Any]:
    """Read a TIFF or PNG file without any code of torchdenoise."""
    return tifffile.imread(path) if path.suffix == ".tif" else np.asarray(imagecodecs.png_decode(path.read_bytes()))


def write_png(path: Path, picture: NDArray[np.float64], depth: int = 8) -> Path:
    """Write a picture (H, W, C) in 0..1."""
    white, dtype = (255, np.uint8) if depth == 8 else (65535, np.uint16)
    array = np.round(picture * white).astype(dtype)
    array = array[..., 0] if array.shape[-1] == 1 else array
    path.write_bytes(imagecodecs.png_encode(array))
    return path


def write_tiff(path: Path, picture: NDArray[np.float64]) -> Path:
    """Write a picture (H, W, C) as float32."""
    kind = "rgb" if picture.shape[-1] == 3 else "minisblack"
    tifffile.imwrite(
        path, (picture[..., 0] if picture.shape[-1] == 1 else picture).astype(np.float32), photometric=kind
    )
    return path


def training_batches(data: Any, epochs: int = 1) -> list[dict[str, Tensor]]:
    """Return the training batches of some epochs of a data module, without a Trainer."""
    data.setup("fit")
    loader = data.train_dataloader()
    batches = []
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        batches += list(loader)
    return batches


def same_batches(first: Sequence[dict[str, Tensor]], second: Sequence[dict[str, Tensor]]) -> bool:
    """Return whether two lists of batches hold the same keys and equal tensors."""
    return len(first) == len(second) and all(
        one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
        for one, other in zip(first, second, strict=True)
    )


def write_pictures(folder: Path, make: Callable[[int, int], NDArray[np.float64]], count: int = 2) -> Path:
    """Write p0.png, p1.png ... of different heights to a new folder."""
    folder.mkdir()
    for number in range(count):
        write_png(folder / f"p{number}.png", make(20 + number, 22))
    return folder


def recipe_with_loss(loss: str | dict[str, Any]) -> Path:
    """Write own.yaml, the recipe zsn2n with another loss."""
    recipe = load_recipe("zsn2n")
    recipe["model"]["init_args"]["loss"] = loss
    path = Path("own.yaml")
    path.write_text(yaml.safe_dump(recipe))
    return path


def result_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a comparison's results.csv."""
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def row_scores(rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Return the sorted keys and scores of rows: what must not depend on how a comparison is run."""
    return sorted(tuple(row[name] for name in ("recipe", "image", "noise", "seed", "psnr", "ssim")) for row in rows)


def copy_planes(path: Path, target: Path, letters: str | None = None, dtype: Any = None, order: int = 1) -> Planes:
    """Write the planes of a file as another one, in or against their order, and return those of the file, closed."""
    with open_planes(path, letters) as planes:
        numbers = list(range(len(planes)))[::order]
        given = ((number, planes.plane(number).astype(dtype or planes.dtype)) for number in numbers)
        write_planes(target, given, planes, dtype)
        return planes


def copy_with_remark(path: Path, target: Path, remark: str, letters: str | None = None) -> None:
    """Write the planes of a file as another one, with a remark that is known when the last plane has been taken."""
    with open_planes(path, letters) as planes:

        def given() -> Iterator[tuple[int, Any]]:
            for number in range(len(planes)):
                yield number, planes.plane(number)
            planes.remarks.append(remark)

        write_planes(target, given(), planes)
