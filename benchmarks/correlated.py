"""Synthetic correlated noise, and how close measured statistics come to true ones: writes docs/results/correlated.md.

    TORCHDENOISE_DATA=DIR python benchmarks/correlated.py [--kinds 1,4] [--methods fast,bm3d] [--first N]
    python benchmarks/correlated.py --page      prints the page from the rows alone

Eight 256x256 centre crops of BSDS500's training images, at equal distances by name, with seven kinds of noise; about
two hours on two cores. The rows lie in docs/results/studies/correlated/results.csv. What has a row is not done again:
delete the rows of a method whose code has changed.
"""

import argparse
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import lightning
import torch
from noise_kinds import BLURS, GAIN, GAMMA, KINDS, LEVEL, QUALITIES, READ, ROW_LEVEL, WHITE_LEVEL
from studies import RESULTS, centre_crop, data_folder
from torch import Generator, Tensor
from true_noise import MAX_LAG, QUANTILES, fitted, true_profile

from torchdenoise import metrics
from torchdenoise.data import read_picture
from torchdenoise.fitting import Options
from torchdenoise.recipes import load_recipe

PICTURES = 8
SEED = 0
FIELDS = (
    "kind", "picture", "method", "psnr", "ssim", "noisy_psnr", "seconds", "threads", "device", "torch", "lightning",
)  # fmt: skip
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Method:
    """A recipe, which may be given the true statistics."""

    recipe: str
    true_statistics: bool = False


METHODS = {
    "fast": Method("fast"),
    "fast-true": Method("fast", true_statistics=True),
    "bm3d": Method("bm3d"),
    "bm3d-correlated": Method("bm3d-correlated"),
}


def clean_crops() -> dict[str, Tensor]:
    """Return the clean crops by name: training images at equal distances."""
    paths = sorted((data_folder() / "bsds400" / "train").glob("*.jpg"))
    step = len(paths) // PICTURES
    chosen = paths[step // 2 :: step][:PICTURES]
    return {path.stem: centre_crop(read_picture(path).image) for path in chosen}


def with_noise(kind: str, clean: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Return an image with noise, and the clean one to compare with; ``number`` seeds the noise."""
    return KINDS[kind](clean, Generator().manual_seed(SEED + number))


def rows_path() -> Path:
    """Return the file of rows."""
    return RESULTS / "studies" / "correlated" / "results.csv"


def read_rows() -> Rows:
    """Return the complete rows: a kill may have cut off the last one."""
    if not rows_path().exists():
        return []
    whole = rows_path().read_text().rpartition("\n")[0]
    return [row for row in csv.DictReader(whole.splitlines()) if None not in row.values()]


def add_row(row: Mapping[str, object]) -> None:
    """Append a row, after removing what a kill left of the one before."""
    path = rows_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(",".join(FIELDS) + "\n")
    text = path.read_text()
    if not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1])
    with path.open("a", newline="") as file:
        csv.DictWriter(file, FIELDS, lineterminator="\n").writerow(row)


def score(
    name: str, noisy: Tensor, clean: Tensor, gamma: float = 1.0, max_steps: int | None = None
) -> dict[str, object]:
    """Return the figures of a method on an image whose noise went through a tone curve."""
    method = METHODS[name]
    profile = true_profile(noisy, clean, gamma) if method.true_statistics else None
    begin = time.perf_counter()
    result = fitted(noisy, load_recipe(method.recipe), Options(max_steps=max_steps, device="cpu"), profile)
    took = time.perf_counter() - begin
    return {
        "psnr": f"{metrics.psnr(result, clean).item():.4f}",
        "ssim": f"{metrics.ssim(result, clean).item():.5f}",
        "noisy_psnr": f"{metrics.psnr(noisy.clamp(0, 1), clean).item():.4f}",
        "seconds": f"{took:.2f}",
        "threads": torch.get_num_threads(),
        "device": "cpu",
        "torch": torch.__version__,
        "lightning": lightning.__version__,
    }


def run(kinds: Sequence[str], methods: Sequence[str], first: int | None, max_steps: int | None = None) -> None:
    """Score what has no row yet, and write the page after each picture."""
    done = {(row["kind"], row["picture"], row["method"]) for row in read_rows()}
    for kind in kinds:
        for number, (picture, clean) in enumerate(list(clean_crops().items())[:first]):
            missing = [name for name in methods if (kind, picture, name) not in done]
            if not missing:
                continue
            noisy, reference = with_noise(kind, clean, number)
            for name in missing:
                gamma = GAMMA if kind.startswith("demosaicked") else 1.0
                figures = score(name, noisy, reference, gamma, max_steps)
                row = {"kind": kind, "picture": picture, "method": name, **figures}
                add_row(row)
                print(f"{kind}, {picture}, {name}: {row['psnr']} dB, {row['seconds']} s", flush=True)
            write_page()


def write_page() -> None:
    """Write the page from the rows."""
    rows = read_rows()
    text = [
        "# Correlated noise",
        "",
        f"{PICTURES} centre crops of 256x256 pixels of BSDS500's training images, at equal distances by name, noise of "
        f"seed {SEED} and up. Gaussian {LEVEL}: blurred by {', '.join(f'{blur:g}' for blur in BLURS)} pixels, its "
        f"level kept, not clipped. Demosaicked: variance {GAIN:g} x + {READ:g}² on a sensor with one colour a pixel, "
        f"bilinear demosaicking, white balance, a colour matrix, gamma {GAMMA:g}, 8 bits; and JPEG 4:2:0 at quality "
        f"{' and '.join(map(str, QUALITIES))}. It is compared with the clean image after the same steps without noise "
        f"and JPEG. Row pattern: white noise of {WHITE_LEVEL} and an offset of {ROW_LEVEL} for each row. `fast-true`: "
        f"given the statistics of noisy - clean, the level in {QUANTILES} classes of brightness and the covariance up "
        f"to {MAX_LAG} pixels. PSNR, the mean over the pictures that all methods of a line have finished. Printed by "
        "`python benchmarks/correlated.py`; rows: `studies/correlated`.",
        "",
        f"| noise | n | noisy | {' | '.join(f'`{name}`' for name in METHODS)} "
        "| `fast` against `fast-true`: mean | median | worst |",
        "|---|---|---|" + "---|" * (len(METHODS) + 3),
        *(_line(kind, [row for row in rows if row["kind"] == kind]) for kind in KINDS),
    ]
    versions = {f"torch {row['torch']}, lightning {row['lightning']}, threads: {row['threads']}" for row in rows}
    text += ["", f"{'; '.join(sorted(versions)) or 'Not run'}.", ""]
    (RESULTS / "correlated.md").write_text("\n".join(text))


def _line(kind: str, rows: Rows) -> str:
    scores = {name: {row["picture"]: float(row["psnr"]) for row in rows if row["method"] == name} for name in METHODS}
    there = [found for found in scores.values() if found]
    shared = sorted(set.intersection(*map(set, there))) if there else []
    noisy = [next(float(row["noisy_psnr"]) for row in rows if row["picture"] == picture) for picture in shared]
    means = {name: mean(found[each] for each in shared) for name, found in scores.items() if found and shared}
    cells = [f"{means[name]:.2f}" if name in means else "-" for name in METHODS]
    gaps = [
        scores["fast"][each] - scores["fast-true"][each] for each in shared if {"fast", "fast-true"} <= means.keys()
    ]
    cells += [f"{measure(gaps):+.2f}" if gaps else "-" for measure in (mean, median, min)]
    return f"| {kind} | {len(shared)} | {f'{mean(noisy):.2f}' if noisy else '-'} | {' | '.join(cells)} |"


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the command line's choice."""
    names = list(KINDS)

    def kinds(text: str) -> list[str]:
        numbers = text.split(",")
        if not all(number.isdecimal() and 1 <= int(number) <= len(names) for number in numbers):
            known = ", ".join(f"{number} {name}" for number, name in enumerate(names, 1))
            raise argparse.ArgumentTypeError(f"give numbers: {known}")
        return [names[int(number) - 1] for number in numbers]

    def methods(text: str) -> list[str]:
        unknown = [name for name in text.split(",") if name not in METHODS]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown {unknown[0]}; choose from {', '.join(METHODS)}")
        return text.split(",")

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", type=kinds, default=names, help="numbers, from 1")
    parser.add_argument("--methods", type=methods, default=list(METHODS))
    parser.add_argument("--first", type=int, help="only so many pictures")
    parser.add_argument("--page", action="store_true", help="run nothing")
    return parser.parse_args(words)


def main() -> None:
    """Run what is missing, and write the page."""
    chosen = arguments(sys.argv[1:])
    if not chosen.page:
        torch.set_num_threads(1)  # as in the other studies
        run(chosen.kinds, chosen.methods, chosen.first)
    write_page()


if __name__ == "__main__":
    main()
