"""What the studies share: test images, calls of ``compare``, the command line, and averages for their pages.

A study runs only the jobs whose rows its folders below docs/results do not hold yet, so a command that was killed
continues where it stopped. ``TORCHDENOISE_WORKERS=2`` runs two jobs at a time.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch

from torchdenoise import compare
from torchdenoise.benchmarking import tables
from torchdenoise.benchmarking.columns import Row
from torchdenoise.benchmarking.jobs import REAL
from torchdenoise.benchmarking.store import Store
from torchdenoise.commands.progress import shown_jobs
from torchdenoise.data import read_picture

RESULTS = Path(__file__).parent.parent / "docs" / "results"
RECIPES = Path(__file__).parent / "recipes"
FOUR = ("kodim05", "kodim08", "kodim19", "kodim23")
EIGHT = ("kodim01", "kodim04", "kodim07", "kodim10", "kodim13", "kodim16", "kodim19", "kodim22")
CLIPPED = "gaussian:25:clip"
BF16 = "trainer.precision=bf16-mixed"

Variant = str | Path | tuple[str, Sequence[str]]


@dataclass(frozen=True)
class Part:
    """One call of ``compare``, and its rows.

    Args:
        folder: holds the rows, relative to docs/results; several parts may share one.
        variants: methods by name, as ``compare`` takes them.
        images: clean images.
        noise: specs of synthetic noise; empty if there are noisy images.
        noisy: the noisy partners of the clean images.
        crop: side of the centre crop; None for whole images.
        threads: per job.
        device: as in ``denoise``.
    """

    folder: str
    variants: Mapping[str, Variant]
    images: Sequence[Path]
    noise: Sequence[str] = ()
    noisy: Sequence[Path] = ()
    crop: int | None = 256
    threads: int = 1
    device: str = "auto"

    def run(self) -> None:
        """Run the jobs that have no row yet."""
        with shown_jobs() as listener:
            compare(
                self.variants,
                self.images,
                self.noise,
                noisy=self.noisy,
                crop=self.crop,
                threads=self.threads,
                workers=int(os.environ.get("TORCHDENOISE_WORKERS", "1")),
                device=self.device,
                output=RESULTS / self.folder,
                listener=listener,
                command=f"python benchmarks/{Path(sys.argv[0]).name}",
            )

    def rows(self, variant: str | None = None) -> list[Row]:
        """Return the finished rows of all variants, or of one."""
        names = self.variants if variant is None else [variant]
        images, noises = {path.stem for path in self.images}, self.noise or [REAL]
        return [
            row
            for row in Store.read(RESULTS / self.folder)
            if (row["status"], row["recipe"] in names, row["image"] in images, row["noise"] in noises)
            == ("done", True, True, True)
        ]


def real_part(folder: str, variants: Mapping[str, Variant], noisy: Sequence[Path]) -> Part:
    """Return a part on real noise; the clean partners lie in the folder ``clean`` beside ``noisy``."""
    return Part(folder, variants, [path.parents[1] / "clean" / path.name for path in noisy], noisy=noisy)


def run_parts(
    parts: Mapping[str, Callable[[], object]], write_page: Callable[[], object], default: Sequence[str] | None = None
) -> None:
    """Run the parts that the command line names, and write the page after each; ``page`` runs nothing.

    Args:
        parts: by name.
        write_page: prints what the rows hold.
        default: parts to run if the command line names none; all unless given.
    """
    known = {**parts, "page": lambda: None}
    words = sys.argv[1:]
    for word in words:
        if word not in known:
            sys.exit(f"unknown part {word}; choose from {', '.join(known)}")
    for name in words or (parts if default is None else default):
        known[name]()
        write_page()


def data_folder() -> Path:
    """Return the folder of test images."""
    if "TORCHDENOISE_DATA" not in os.environ:
        sys.exit("TORCHDENOISE_DATA is not set: give it the folder that holds kodak24, set14, bsds400 ...")
    return Path(os.environ["TORCHDENOISE_DATA"])


def kodak24(names: Sequence[str] = ()) -> list[Path]:
    """Return Kodak24, or some of its images."""
    return [path for path in sorted((data_folder() / "kodak24").glob("*.png")) if not names or path.stem in names]


def set14() -> list[Path]:
    """Return the images of Set14 that are large enough for the crop."""
    paths = sorted((data_folder() / "set14").glob("*.png"))
    return [path for path in paths if min(read_picture(path).image.shape[-2:]) >= 256]


def training_images() -> list[Path]:
    """Return six of BSDS500's training images, on which choices are made."""
    return sorted((data_folder() / "bsds400" / "train").glob("*.jpg"))[::67][:6]


def noisy_images(name: str) -> list[Path]:
    """Return the noisy images of a data set with real noise."""
    return sorted((data_folder() / name / "noisy").iterdir())


def centre_crop(image: torch.Tensor, size: int = 256) -> torch.Tensor:
    """Return the ``size`` x ``size`` centre of ``(B, C, H, W)``."""
    top, left = ((side - size) // 2 for side in image.shape[-2:])
    return image[..., top : top + size, left : left + size]


def average(rows: Sequence[Row], field: str = "psnr") -> float:
    """Return the mean of a column."""
    return mean(float(row[field]) for row in rows)


def setting(rows: Sequence[Row]) -> str:
    """Return how rows were computed: seed, threads, device and versions."""
    _, seed, rest = tables.setting(rows).partition("seed ")
    return seed + rest
