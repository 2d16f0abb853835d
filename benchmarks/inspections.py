"""What is said of the noise of many pictures: writes docs/results/inspections.md and inspections.csv.

    TORCHDENOISE_DATA=DIR python benchmarks/inspections.py        a few minutes on one core

SIDD, PolyU and FMD, centre crops of 256x256 pixels; Kodak24, the same, as it is and with made noise; and the pictures
of the folder ``demo``, whole. Nothing is denoised.
"""

import csv
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import lightning
import torch
from studies import RESULTS, centre_crop, data_folder, kodak24, noisy_images
from torch import Tensor

from torchdenoise.data import read_picture
from torchdenoise.noise import NoiseProfile, from_spec, seeded
from torchdenoise.noise.measuring import measure_noise

SEED = 0
COUNTED = {
    "correlated": "correlated",
    "multi_scale": "multi-scale",
    "tone_curve": "tone curve",
    "outliers": "outliers",
    "stripes": "rows or columns",
    "varies": "level varies",
    "unusable": "not reliable",
}
"""Columns of the rows that the page counts, and their headings."""
FIELDS = ("set", "picture", *COUNTED, "level", "noise")
Row = dict[str, str]


@dataclass(frozen=True)
class PictureSet:
    """Pictures whose noise is measured.

    Args:
        title: in the table.
        images: yields names and images ``(1, C, H, W)``.
    """

    title: str
    images: Callable[[], Iterator[tuple[str, Tensor]]]


def real(name: str) -> PictureSet:
    """Return the crops of a data set of real noise."""

    def images() -> Iterator[tuple[str, Tensor]]:
        for path in noisy_images(name):
            yield path.stem, centre_crop(read_picture(path).image)

    return PictureSet(name.upper(), images)


def made(spec: str) -> PictureSet:
    """Return the crops of Kodak24 with made noise; without any for an empty spec."""

    def images() -> Iterator[tuple[str, Tensor]]:
        for number, path in enumerate(kodak24()):
            clean = centre_crop(read_picture(path).image)
            yield path.stem, from_spec(spec)(clean, seeded(SEED, number)) if spec else clean

    return PictureSet(f"Kodak24, `{spec}`" if spec else "Kodak24 as it is", images)


def demo() -> PictureSet:
    """Return the whole pictures of the folder ``demo``."""

    def images() -> Iterator[tuple[str, Tensor]]:
        for path in sorted((data_folder() / "demo").iterdir()):
            yield path.stem, read_picture(path).image

    return PictureSet("demo", images)


def row(title: str, name: str, image: Tensor, profile: NoiseProfile) -> Row:
    """Return what a profile says, as texts; flags are 0 or 1."""
    flags = {
        "correlated": profile.correlated and not profile.few_photons,
        "multi_scale": profile.coarse_to_fine,
        "tone_curve": profile.gamma > 1,
        "outliers": profile.outliers is not None,
        "stripes": profile.stripes is not None,
        "varies": profile.variation is not None,
        "unusable": bool(profile.unusable),
    }
    level = f"{255 * profile.deviation(image).square().mean().sqrt().item():.2f}"
    texts = {flag: str(int(value)) for flag, value in flags.items()}
    return {"set": title, "picture": name, **texts, "level": level, "noise": profile.describe()}


def line(title: str, rows: list[Row]) -> str:
    """Return a line of the table, and what is said of the picture in the middle by level."""
    counts = [str(sum(each[column] == "1" for each in rows) or "-") for column in COUNTED]
    ordered = sorted(rows, key=lambda each: float(each["level"]))
    level = median(float(each["level"]) for each in rows)
    middle = ordered[len(ordered) // 2]["noise"].removeprefix("noise: ")
    cells = [
        title,
        str(len(rows)),
        f"{level:.1f}",
        *(count.replace("0", "-") if count == "0" else count for count in counts),
    ]
    return f"| {' | '.join([*cells, middle])} |"


def main() -> None:
    """Measure the noise of all pictures, and write rows and page."""
    sets = [real("sidd"), real("polyu"), real("fmd")]
    sets += [made(spec) for spec in ("", "gaussian:5", "gaussian:25", "gaussian:25:clip", "poisson:25")]
    sets.append(demo())
    text = [
        "# What is said of the noise",
        "",
        f"By `python benchmarks/inspections.py`: centre crops of 256x256 pixels, `demo` whole; seed {SEED}, CPU "
        f"({platform.machine()}), torch {torch.__version__}, lightning {lightning.__version__}. `level`: the root mean "
        "square of the measured deviation over a picture, of 255, the median of the pictures. The counts: pictures of "
        "which it was said. The last column: what is said of the picture in the middle by level. Rows: "
        "`inspections.csv`.",
        "",
        f"| pictures | n | level | {' | '.join(COUNTED.values())} | for instance |",
        "|---|---|---|" + "---|" * (len(COUNTED) + 1),
    ]
    everything: list[Row] = []
    for each in sets:
        rows = [row(each.title, name, image, measure_noise(image)) for name, image in each.images()]
        text.append(line(each.title, rows))
        everything += rows
        print(text[-1], flush=True)
    with (RESULTS / "inspections.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(everything)
    (RESULTS / "inspections.md").write_text("\n".join([*text, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
