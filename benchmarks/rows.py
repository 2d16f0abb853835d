"""Rows of a table, one fit each, written as they come: a command that is killed goes on where it stopped."""

import csv
import os
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch

import torchdenoise
from torchdenoise import metrics
from torchdenoise.data import read_picture
from torchdenoise.fitting import denoise
from torchdenoise.noise import from_spec, repeatable
from torchdenoise.recipes import load_recipe

FIELDS = [
    "image", "recipe", "noise", "seed", "noisy_psnr", "psnr", "ssim", "seconds", "steps", "crop",
    "overrides", "threads", "device", "load", "torch", "lightning", "torchdenoise",
]  # fmt: skip
KEY = ["image", "recipe", "noise", "seed", "steps", "crop", "overrides"]


@dataclass(frozen=True)
class Job:
    """One fit: a recipe on the centre crop of a clean picture with synthetic noise, or with its own noisy one."""

    image: Path
    recipe: str
    noise: str
    seed: int = 0
    crop: int = 256
    overrides: tuple[str, ...] = ()
    noisy: Path | None = None


def centre_crop(image: torch.Tensor, size: int) -> torch.Tensor:
    """Return the ``size`` x ``size`` centre of ``(B, C, H, W)``."""
    top, left = ((side - size) // 2 for side in image.shape[-2:])
    return image[..., top : top + size, left : left + size]


def run(jobs: Iterable[Job], path: Path, max_steps: int | None = None, only_done: bool = False) -> list[dict[str, str]]:
    """Run the jobs that ``path`` has no row for yet, append a row after each, and return all rows of these jobs.

    ``only_done`` runs none of them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    jobs = list(jobs)
    done = {tuple(row[name] for name in KEY) for row in read(path)}
    wanted = [_key(job, max_steps) for job in jobs]
    for number, (job, key) in enumerate(zip(jobs, wanted, strict=True), 1):
        if key in done or only_done:
            continue
        row = _row(job, max_steps)
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
        print(
            f"[{number}/{len(jobs)}] {job.image.stem} {job.recipe} {job.noise}: {row['psnr']} dB, {row['seconds']} s",
            flush=True,
        )
    return [row for row in read(path) if tuple(row[name] for name in KEY) in set(wanted)]


def read(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows that are already there."""
    if path.is_file():
        with path.open(newline="") as file:
            yield from csv.DictReader(file)


def _steps(job: Job, max_steps: int | None) -> int:
    return max_steps or int(load_recipe(job.recipe)["trainer"]["max_steps"])


def _key(job: Job, max_steps: int | None) -> tuple[str, ...]:
    steps, changes = str(_steps(job, max_steps)), " ".join(job.overrides)
    return (job.image.stem, job.recipe, job.noise, str(job.seed), steps, str(job.crop), changes)


def _row(job: Job, max_steps: int | None) -> dict[str, str]:
    clean = centre_crop(read_picture(job.image).image, job.crop)
    if job.noisy is None:
        noisy = repeatable(from_spec(job.noise), clean, job.seed)
    else:
        noisy = centre_crop(read_picture(job.noisy).image, job.crop)
    begin = time.perf_counter()
    restored = denoise(
        noisy,
        job.recipe,
        seed=job.seed,
        max_steps=max_steps,
        overrides=job.overrides,
        data_range=1.0,
        device="cpu",
    )
    seconds = time.perf_counter() - begin
    values = {
        "noisy_psnr": f"{metrics.psnr(noisy.clamp(0, 1), clean).item():.3f}",
        "psnr": f"{metrics.psnr(restored, clean).item():.3f}",
        "ssim": f"{metrics.ssim(restored, clean).item():.4f}",
        "seconds": f"{seconds:.1f}",
        "threads": str(torch.get_num_threads()),
        "device": platform.processor() or platform.machine(),
        "load": f"{os.getloadavg()[1]:.1f}",
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "torchdenoise": torchdenoise.__version__,
    }
    return dict(zip(KEY, _key(job, max_steps), strict=True)) | values
