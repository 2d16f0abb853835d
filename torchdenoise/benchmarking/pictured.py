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


@dataclass(frozen=True)
class Pictured:
    """One noisy picture of a comparison, and its results, best first."""

    name: str
    noise: str
    pair: ImagePair
    noisy_psnr: str
    """As it stands in the rows; empty without a clean picture."""
    results: Sequence[tuple[Row, NDArray[np.uint8]]]

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
    mine = [row for row in rows if row_key(row)[1:] == job.key[1:] and row["status"] == "done"]
    ranked = sorted(mine, key=lambda row: -float(row["psnr"] or 0))
    return Pictured(
        name=job.scene.name,
        noise=job.noise,
        pair=read_images(job),
        noisy_psnr=next((row["noisy_psnr"] for row in mine if row["noisy_psnr"]), ""),
        results=[(row, store.picture(row)) for row in ranked if store.picture_path(row).is_file()],
    )


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
