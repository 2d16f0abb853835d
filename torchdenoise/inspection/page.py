"""The page of inspected pictures: one HTML file without links to others."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchdenoise.charts import Series, chart, heat_map
from torchdenoise.html_pages import html_page
from torchdenoise.inspection.inspecting import Inspection
from torchdenoise.noise import NoiseProfile, level_patches
from torchdenoise.noise.covariance import TORUS, spectrum

LARGEST = 512
"""Side of a shown picture, in pixels."""
FADED = 0.25
"""Of the brightness of places that show no noise."""
RGB = {"red": 1, "green": 2, "blue": 0}
"""Names of channels, each with the number of the colour nearest to it."""
SHOWN = 400
"""Patches of a channel in a plot of the level function."""
MAX_ABOVE = 2.0
"""Multiple of the largest level up to which patches are shown."""
STEPS = 24
"""Points of a level function."""


def page(sections: Sequence[tuple[str, Inspection, Tensor, Sequence[tuple[str, str]]]], command: str) -> str:
    """Return the HTML of inspected pictures.

    Args:
        sections: name, inspection, image ``(1, C, H, W)`` and rows of facts for each picture.
        command: that wrote the page.
    """
    shown = [
        {
            "name": name,
            "line": inspection.line,
            "rows": rows,
            "charts": _charts(inspection, image),
            "picture": _picture(image, inspection.informative),
            "share": f"{inspection.informative_share:.0%}",
        }
        for name, inspection, image, rows in sections
    ]
    return html_page(
        "torchdenoise.inspection", "page.html.jinja", title="The noise of pictures", command=command, sections=shown
    )


def _charts(inspection: Inspection, image: Tensor) -> list[dict[str, Any]]:
    profile = inspection.profile
    nodes = ", with its nodes" if profile.curve is not None else ""
    patches = patch_series(image, profile)
    fitted = "; behind it the patches of the picture that it was fitted to" if patches else ""
    levels = _lines(
        level_series(profile),
        ("brightness, 0 to 255", "noise level, of 255"),
        f"Noise level function: standard deviation against brightness{nodes}{fitted}",
        patches,
    )
    if profile.covariance is None:
        return [levels]
    mean = profile.covariance.diagonal().mean(-1)
    powers = _lines(
        power_series(profile.covariance),
        ("frequency, cycles per pixel", "power; 1 for white noise"),
        "Noise spectrum, mean of the channels",
    )
    caption = f"Correlation with the pixel in the middle, up to {len(mean) // 2} pixels away, mean of the channels"
    grid = {"svg": heat_map(mean.tolist(), "covariance"), "caption": caption, "small": True, "legend": []}
    return [levels, powers, grid]


def _lines(
    series: Sequence[Series], titles: tuple[str, str], caption: str, behind: Sequence[Series] = ()
) -> dict[str, Any]:
    legend = series if len(series) > 1 else []
    svg = chart(series, *titles, floor=0.0, behind=behind)
    return {"svg": svg, "caption": caption, "small": False, "legend": legend}


def level_series(profile: NoiseProfile) -> list[Series]:
    """Return the level function on the 0-255 scale: a line for white noise, the nodes of each channel otherwise.

    Example:
        >>> from torchdenoise.noise import NoiseLevelFunction
        >>> level_series(NoiseProfile(NoiseLevelFunction(0.0, 0.1)))[0].points[0]
        (0.0, 25.5)
    """
    if profile.curve is None:
        brightness = [number / STEPS for number in range(STEPS + 1)]
        return [Series("level", 0, [(255 * mean, 255 * profile.level.deviation(mean)) for mean in brightness])]
    return _by_channel(profile.curve.brightness, profile.curve.deviation)


def patch_series(image: Tensor, profile: NoiseProfile) -> list[Series]:
    """Return the patches that the level was fitted to, on the 0-255 scale, each channel's or all together.

    Of many patches, every few are shown. A tail of textured ones far above the level is left out.

    Example:
        >>> from torchdenoise.noise import measure_noise
        >>> image = torch.rand(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> [100 < len(each.points) <= SHOWN for each in patch_series(image, measure_noise(image))]
        [True]
    """
    brightness, deviation = level_patches(image, profile)
    highest = MAX_ABOVE * max(level for each in level_series(profile) for _, level in each.points)
    step = max(1, -(-brightness.shape[1] // SHOWN))
    return [
        replace(each, name=f"patches, {each.name}", points=points)
        for each in _by_channel(brightness[:, ::step], deviation[:, ::step])
        if (points := [(mean, level) for mean, level in each.points if level <= highest])
    ]


def _by_channel(brightness: Tensor, deviation: Tensor) -> list[Series]:
    """Return a series for each channel, on the 0-255 scale."""
    rows = (255 * brightness).tolist(), (255 * deviation).tolist()
    names = RGB if len(brightness) == len(RGB) else {f"channel {each + 1}": each for each in range(len(brightness))}
    return [
        Series(name, number, list(zip(*points, strict=True)))
        for (name, number), *points in zip(names.items(), *rows, strict=True)
    ]


def power_series(covariance: Tensor) -> list[Series]:
    """Return the power against frequency along a row, a column and the diagonal; its mean over all frequencies is 1.

    Example:
        >>> power_series(torch.ones(1, 1, 1, 1))[2].points[-1]
        (0.5, 1.0)
    """
    power = spectrum(covariance).real.diagonal(dim1=-2, dim2=-1).mean(-1)
    places = torch.arange(0, TORUS // 2 + 1, 2)
    lines = {"across": power[0, places], "down": power[places, 0], "diagonal": power[places, places]}
    frequencies = (places / TORUS).tolist()
    return [
        Series(name, number, list(zip(frequencies, line.tolist(), strict=True)))
        for number, (name, line) in enumerate(lines.items())
    ]


def _picture(image: Tensor, informative: Tensor) -> str:
    """Return an image as a data URL, with the places that show no noise darkened and red."""
    step = -(-max(image.shape[-2:]) // LARGEST)
    small = image[0, :, ::step, ::step].clamp(0, 1).expand(3, -1, -1)
    faded = FADED * small
    faded[0] += 1 - FADED
    shown = torch.where(informative[0, :, ::step, ::step].to(small.device), small, faded)
    file = io.BytesIO()
    Image.fromarray((255 * shown).round().byte().permute(1, 2, 0).cpu().numpy().astype(np.uint8)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
