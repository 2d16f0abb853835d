"""What the tests share: tiny pictures of their own, and the command line called as a user calls it."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
import torch
from numpy.typing import NDArray

from torchdenoise.cli import main


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


def correlated_noise() -> NDArray[np.float64]:
    """Return a grey picture whose noise neighbouring pixels share, as a camera's pictures have it."""
    noise = np.random.default_rng(0).normal(0, 40 / 255, (98, 98, 3))
    smeared = (noise[2:, 2:] + noise[1:-1, 2:] + noise[2:, 1:-1] + noise[1:-1, 1:-1]) / 2
    return np.clip(0.5 + smeared, 0, 1)


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


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what calls ``torchdenoise`` with words, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["torchdenoise"])
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C be what it is at a terminal; jobs of a shell ignore it, and so do their tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def noisy_png(tmp_path: Path) -> Path:
    """Return a small noisy colour picture."""
    return write_png(tmp_path / "noisy.png", noisy_scene())


@pytest.fixture(scope="session")
def coffee() -> torch.Tensor:
    """Return a photograph (1, 3, 256, 256) in 0..1, its colours saturated."""
    return torch.from_numpy(skimage.data.coffee()[:256, 200:456].copy()).permute(2, 0, 1)[None] / 255
