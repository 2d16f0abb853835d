"""The figure for papers that shows details."""

import numpy as np
import pytest
import torch
from helpers import clean_image

from torchdenoise.benchmarking.crops import SMALLEST, crops_figure
from torchdenoise.benchmarking.pictured import Pictured, busiest_square
from torchdenoise.benchmarking.printed import DPI, TWO_COLUMNS
from torchdenoise.benchmarking.scoring import ImagePair
from torchdenoise.data import Picture


def seen(count=3, channels=3, size=(80, 120), with_clean=True, name="m"):
    """Return a picture with results whose PSNR falls from 30 dB."""
    clean = clean_image(channels, *size)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    rows = [{"recipe": f"{name}{number}", "psnr": str(30 - number) if with_clean else ""} for number in range(count)]
    pair = ImagePair(noisy, clean if with_clean else None, Picture.from_array(noisy[0].permute(1, 2, 0).numpy()))
    return Pictured("p", "gaussian:25", pair, "20.5" if with_clean else "", [(row, noisy) for row in rows])


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_the_picture_is_beside_clean_noisy_and_results_with_their_psnr():
    figure = crops_figure(seen())
    assert words(figure) == [
        *("p", "gaussian:25", "clean", "", "noisy", "20.50 dB"),
        *("m0", "30.00 dB", "m1", "29.00 dB", "m2", "28.00 dB"),
    ]
    assert [text.get_text() for text in figure.texts if text.get_fontweight() == "bold"] == ["m0", "30.00 dB"]
    assert len(figure.axes) == 1 + 5


def test_without_a_clean_picture_nothing_is_scored():
    figure = crops_figure(seen(2, with_clean=False))
    assert words(figure) == ["p", "gaussian:25", "noisy", "", "m0", "", "m1", ""]
    assert {text.get_fontweight() for text in figure.texts} == {"normal"}


def test_the_box_is_where_the_details_are_from():
    picture = seen(1)
    figure = crops_figure(picture)
    whole, clean = (axes.images[0].get_array() for axes in figure.axes[:2])
    top, left, side = busiest_square(picture.shown, SMALLEST)
    expected = picture.as_bytes(picture.shown)[top : top + side, left : left + side]
    factor = clean.shape[0] // side
    assert np.array_equal(clean[::factor, ::factor], expected)
    [box] = figure.artists
    place = figure.axes[0].get_position()
    width, height = figure.get_size_inches()
    scale = place.width * width / 120
    assert whole.shape[1] % 120 == 0
    assert box.get_x() == pytest.approx(scale * left)
    assert height - box.get_y() == pytest.approx(scale * (top + side))
    assert box.get_width() == pytest.approx(scale * side)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 4, 11])
@pytest.mark.parametrize("size", [(200, 60), (60, 200), (9, 9)])
def test_all_is_inside_the_page_and_nothing_overlaps(count, size, channels):
    figure = crops_figure(seen(count, channels, size, name="a-method-with-a-rather-long-name"))
    boxes = [axes.get_window_extent() for axes in figure.axes] + [
        text.get_window_extent() for text in figure.texts if text.get_text()
    ]
    assert figure.get_figwidth() == TWO_COLUMNS
    for box in boxes:
        assert box.x0 >= -1.5
        assert box.y0 >= -0.5
        assert box.x1 <= figure.bbox.width + 1.5
        assert box.y1 <= figure.bbox.height + 0.5
    shrunk = [box.padded(-1.5) for box in boxes]
    assert not any(one.overlaps(other) for n, one in enumerate(shrunk) for other in shrunk[:n])


def test_pixels_are_repeated_for_print_and_large_pictures_made_smaller():
    figure = crops_figure(seen(1, size=(80, 120)))
    for axes in figure.axes:
        inches = axes.get_position().width * TWO_COLUMNS
        assert axes.images[0].get_array().shape[1] >= DPI * inches
    large = crops_figure(seen(1, channels=1, size=(2500, 5000)))
    inches = large.axes[0].get_position().width * TWO_COLUMNS
    assert DPI * inches <= large.axes[0].images[0].get_array().shape[1] <= 2 * DPI * inches
