"""What the widget Noise says, without napari."""

import numpy as np
import pytest
from helpers import noisy_scene
from PIL import Image

from torchdenoise.data import ArrayPlanes, Axes
from torchdenoise.napari.noise_text import noise_text


def test_it_says_what_inspect_says(run, tmp_path):
    noisy = (255 * noisy_scene(112, 112, sigma=12)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    first, *rows = run("inspect", "noisy.png").out.splitlines()
    assert rows[-2].startswith("  auto: by ")
    expected = [first.removeprefix("noisy.png: "), *(row.removeprefix("  ") for row in rows[:-1])]
    assert noise_text(ArrayPlanes(noisy, Axes("YXS"))).splitlines() == expected


@pytest.mark.parametrize(("channels", "names"), [("together", [""]), ("apart", ["channel 1: ", "channel 2: "])])
def test_channels_are_inspected_as_they_are_denoised(channels, names):
    lines = noise_text(ArrayPlanes(noisy_scene(48, 48, channels=2), Axes("YXC")), channels).splitlines()
    assert [line.partition("noise: ")[0] for line in lines if "noise: " in line] == names
    assert sum(line.startswith("auto: by ") for line in lines) == len(names)


def test_a_mistake_is_a_line():
    assert noise_text(ArrayPlanes(np.full((8, 9), np.nan), Axes("YX"))).startswith("every pixel is NaN")
