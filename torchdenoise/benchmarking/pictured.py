"""The pictures that the report and the figures show, and which part of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchdenoise.benchmarking.columns import Row, row_key
from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.scoring import ImagePair, read_images
from torchdenoise.benchmarking.store import Store

MAX_PICTURES = 8
"""The largest number of pictures that are shown; browsers are slow with hundreds."""
ENDS = (0.001, 0.999)
"""Quantiles of the noisy values between which a picture lies; few pixels, such as hot ones, are outside."""
MIN_FILL = 0.5
"""A picture that fills a smaller part of its range is shown with more contrast: it would be nearly black, or grey."""
MAX_SAMPLES = 1 << 20
"""Values of which quantiles are computed."""


@dataclass(frozen=True)
class Pictured:
    """One noisy picture of a comparison, and its results, best first."""

    name: str
    noise: str
    pair: ImagePair
    noisy_psnr: str
    """As it stands in the rows; empty without a clean picture."""
    results: Sequence[tuple[Row, Tensor]]
    ends: tuple[float, float] = (0.0, 1.0)
    """What is shown as black and as white, in clean, noisy and results alike."""

    def as_bytes(self, image: Tensor) -> NDArray[np.uint8]:
        """Return an image ``(1, C, H, W)`` as it is shown, ``(H, W, C)``."""
        black, white = self.ends
        shown = (image[0] - black) / (white - black)
        array: NDArray[np.uint8] = shown.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
        return array

    @property
    def stretched(self) -> str:
        """A sentence on what is shown as black and as white; empty if that is the range of the picture."""
        if self.ends == (0, 1):
            return ""
        scaling = self.pair.like.scaling
        black, white = (f"{scaling.low + end * (scaling.high - scaling.low):.6g}" for end in self.ends)
        return f"More contrast, the same in all: {black} is shown as black, {white} as white."

    @property
    def shown(self) -> Tensor:
        """The clean image, or else the noisy one: where there is most to see in it, results are compared."""
        return self.pair.noisy if self.pair.clean is None else self.pair.clean


def chosen(jobs: Sequence[Job], rows: Sequence[Row]) -> list[Job]:
    """Return a job for each picture and noise, of the first seed, that any method has finished."""
    done = {row_key(row)[1:] for row in rows if row["status"] == "done"}  # others may have an unreadable picture
    seen = [job for job in jobs if job.seed == jobs[0].seed and job.key[1:] in done]
    return list({(job.scene.name, job.noise): job for job in seen}.values())


def pictured(job: Job, rows: Sequence[Row], store: Store) -> Pictured:
    """Return what is shown of the picture of a job; results whose files were removed are left out."""
    pair = read_images(job)
    mine = [row for row in rows if row_key(row)[1:] == job.key[1:] and row["status"] == "done"]
    ranked = sorted(mine, key=lambda row: -float(row["psnr"] or 0))
    return Pictured(
        name=job.scene.name,
        noise=job.noise,
        pair=pair,
        noisy_psnr=next((row["noisy_psnr"] for row in mine if row["noisy_psnr"]), ""),
        results=[(row, store.image(row, pair.like)) for row in ranked if store.picture_path(row).exists()],
        ends=contrast_ends(pair.noisy),
    )


def contrast_ends(noisy: Tensor) -> tuple[float, float]:
    """Return the values to show as black and as white: the ends of a noisy image that fills little of its range.

    Example:
        >>> contrast_ends(torch.linspace(0.1, 0.9, 1000)), contrast_ends(torch.linspace(0.1, 0.2, 1001))
        ((0.0, 1.0), (0.1001..., 0.1999...))
    """
    values = noisy.flatten()
    values = values[:: -(-len(values) // MAX_SAMPLES)].sort().values
    black, white = (values[round(end * (len(values) - 1))].item() for end in ENDS)
    return (black, white) if 0 < white - black < MIN_FILL else (0.0, 1.0)


def busiest_square(image: Tensor, largest: int) -> tuple[int, int, int]:
    """Return (top, left, side) of the square with most structure: the largest differences after smoothing.

    Args:
        image: ``(1, C, H, W)``.
        largest: the side, unless the image is smaller.
    """
    side = min(largest, *image.shape[-2:])
    if side < 4:
        return 0, 0, side
    grey = torch.nn.functional.avg_pool2d(image.mean(1, keepdim=True), 4)
    structure = torch.zeros_like(grey)
    structure[..., 1:, :] += grey.diff(dim=-2).abs()
    structure[..., 1:] += grey.diff(dim=-1).abs()
    sums = torch.nn.functional.avg_pool2d(structure, min(largest // 4, *grey.shape[-2:]), stride=1)
    place = int(sums.argmax())
    top, left = divmod(place, sums.shape[-1])
    return 4 * top, 4 * left, side
