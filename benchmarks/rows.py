"""Rows of a table, one picture each, written as they come: a command that is killed goes on where it stopped.

A row that another command's table holds already is taken from there.
``TORCHDENOISE_WORKERS=2`` runs two rows at a time, with one thread each: more rows an hour, but longer seconds.
"""

import csv
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

import lightning
import torch
from joblib import Parallel, delayed, parallel_config

import torchdenoise
from torchdenoise import metrics
from torchdenoise.data import read_picture
from torchdenoise.denoisers import Denoiser
from torchdenoise.denoisers.checkpoints import read_checkpoint
from torchdenoise.fitting import denoise
from torchdenoise.noise import from_spec, repeatable
from torchdenoise.protocols import DataDescription
from torchdenoise.recipes import load_recipe
from torchdenoise.recipes.building import build_fit

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FOUR = ("kodim05", "kodim08", "kodim19", "kodim23")
HALF = ("trainer.precision=bf16-mixed",)
KEY = ["image", "recipe", "noise", "seed", "steps", "crop", "overrides"]
FIELDS = [
    "image", "recipe", "noise", "seed", "noisy_psnr", "psnr", "ssim", "seconds", "steps", "parameters", "crop",
    "overrides", "threads", "device", "load", "torch", "lightning", "torchdenoise",
]  # fmt: skip

Row = dict[str, str]


@dataclass(frozen=True)
class Job:
    """One row: a recipe on the centre crop of a clean picture with synthetic noise, or with its own noisy one.

    With a checkpoint its network is applied, and ``recipe`` is no more than its name.
    """

    image: Path
    recipe: str
    noise: str
    overrides: tuple[str, ...] = ()
    max_steps: int | None = None
    noisy: Path | None = None
    checkpoint: Path | None = None
    seed: int = 0
    crop: int = 256

    def steps(self) -> int:
        """Return how many steps the fit takes, or took; none where nothing is fitted."""
        if self.checkpoint is not None:
            return int(read_checkpoint(self.checkpoint)["global_step"])
        return self.max_steps or int(load_recipe(self.recipe).get("trainer", {}).get("max_steps", 0))

    def key(self) -> tuple[str, ...]:
        """Return what tells this row from others."""
        changes = " ".join(self.overrides)
        return (self.image.stem, self.recipe, self.noise, str(self.seed), str(self.steps()), str(self.crop), changes)


def data_folder() -> Path:
    """Return the folder of test pictures."""
    if "TORCHDENOISE_DATA" not in os.environ:
        sys.exit("TORCHDENOISE_DATA is not set: give it the folder that holds kodak24, set14, bsds400 ...")
    return Path(os.environ["TORCHDENOISE_DATA"])


def asked(known: Sequence[str], unasked: Sequence[str] | None = None) -> list[str]:
    """Return the parts that the command line names; where it names none, ``unasked``, or all."""
    words = sys.argv[1:]
    for word in words:
        if word not in known:
            sys.exit(f"{word}: no such part; there are {', '.join(known)}")
    return words or list(known if unasked is None else unasked)


def four_images() -> list[Path]:
    """Return the "4 images": the Kodak24 pictures that the long tables take."""
    return [data_folder() / "kodak24" / f"{name}.png" for name in FOUR]


def centre_crop(image: torch.Tensor, size: int) -> torch.Tensor:
    """Return the ``size`` x ``size`` centre of ``(B, C, H, W)``; all of it for 0."""
    if not size:
        return image
    top, left = ((side - size) // 2 for side in image.shape[-2:])
    return image[..., top : top + size, left : left + size]


def run(jobs: Iterable[Job], path: Path, only_done: bool = False) -> list[Row]:
    """Run the jobs that no table has a row for yet, append a row after each, and return all rows of these jobs.

    ``only_done`` runs none of them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    jobs = list(jobs)
    wanted = {job.key() for job in jobs}
    done = {_key(row) for row in read(path)}
    for row in _elsewhere(path):
        if _key(row) in wanted - done:
            _append(path, row)
            done.add(_key(row))
    missing = [] if only_done else [job for job in jobs if job.key() not in done]
    workers = int(os.environ.get("TORCHDENOISE_WORKERS", "1"))
    threads = 1 if workers > 1 else None
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=threads):
        rows = Parallel(return_as="generator_unordered")(delayed(_row)(job) for job in missing)
        for number, row in enumerate(rows, 1):
            _append(path, row)
            told = "{image} {recipe} {noise} {overrides}: {psnr} dB, {seconds} s".format(**row)
            print(f"[{number}/{len(missing)}] {told}", flush=True)
    return [row for row in read(path) if _key(row) in wanted]


def read(path: Path) -> Iterator[Row]:
    """Yield the rows that are already there."""
    if path.is_file():
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != FIELDS:
                sys.exit(f"{path}: has other columns than this command writes; move it away")
            yield from reader


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _elsewhere(path: Path) -> Iterator[Row]:
    """Yield the rows of the other tables beside this one that have the same columns."""
    for other in sorted(path.parent.glob("*.csv")):
        with other.open(newline="") as file:
            reader = csv.DictReader(file)
            if other != path and reader.fieldnames == FIELDS:
                yield from reader


def _append(path: Path, row: Row) -> None:
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


def noisy_and_clean(job: Job) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both crops of a job, ``(1, C, H, W)``."""
    clean = centre_crop(read_picture(job.image).image, job.crop)
    if job.noisy is not None:
        return centre_crop(read_picture(job.noisy).image, job.crop), clean
    return repeatable(from_spec(job.noise), clean, job.seed), clean


def restored(job: Job, noisy: torch.Tensor) -> torch.Tensor:
    """Return what the job makes of its noisy crop."""
    if job.checkpoint is not None:
        return denoise(noisy, checkpoint=job.checkpoint, data_range=1.0)
    how = {"seed": job.seed, "max_steps": job.max_steps, "overrides": job.overrides}
    return denoise(noisy, job.recipe, data_range=1.0, **how)


def _row(job: Job) -> Row:
    noisy, clean = noisy_and_clean(job)
    begin = time.perf_counter()
    result = restored(job, noisy)
    seconds = time.perf_counter() - begin
    values = {
        "noisy_psnr": f"{metrics.psnr(noisy.clamp(0, 1), clean).item():.3f}",
        "psnr": f"{metrics.psnr(result, clean).item():.3f}",
        "ssim": f"{metrics.ssim(result, clean).item():.4f}",
        "seconds": f"{seconds:.1f}",
        "parameters": str(_parameters(job)),
        "threads": str(torch.get_num_threads()),
        "device": here(),
        "load": f"{os.getloadavg()[1]:.1f}",
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "torchdenoise": torchdenoise.__version__,
    }
    return dict(zip(KEY, job.key(), strict=True)) | values


def _parameters(job: Job) -> int:
    channels = read_picture(job.image).image.shape[1]
    return _trained(job.checkpoint) if job.checkpoint else _fitted(job.recipe, job.overrides, channels)


@cache
def _fitted(recipe: str, overrides: tuple[str, ...], channels: int) -> int:
    model = build_fit(load_recipe(recipe), overrides).model
    model.match_data(DataDescription(channels, 256, 256))
    return sum(parameter.numel() for parameter in model.parameters())


@cache
def _trained(checkpoint: Path) -> int:
    return sum(parameter.numel() for parameter in Denoiser.load(checkpoint).parameters())


def here() -> str:
    """Return which device this machine computes on."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()


def average(rows: Sequence[Row], field: str = "psnr") -> float:
    """Return the mean of a column."""
    return mean(float(row[field]) for row in rows)


def setting(rows: Sequence[Row]) -> str:
    """Return what all tables say of how their rows were made."""
    told = {name: "/".join(sorted({row[name] for row in rows})) for name in ("seed", "threads", "device")}
    threads = f"{told['threads']} CPU thread{'' if told['threads'] == '1' else 's'}"
    versions = ", ".join(f"{name} {'/'.join(sorted({row[name] for row in rows}))}" for name in ("torch", "lightning"))
    return f"seed {told['seed']}, {threads} ({told['device']}), {versions}"
