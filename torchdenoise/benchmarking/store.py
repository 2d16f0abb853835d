"""The folder of a comparison: rows, curves and pictures, each written as its job ends."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.measuring import Curve
from torchdenoise.benchmarking.scoring import FIELDS, Outcome, Row, row_key
from torchdenoise.errors import UserError
from torchdenoise.paths import read_errors, write_errors

ROWS, CURVES, ABOUT = "results.csv", "curves.csv", "comparison.json"
CURVE_FIELDS = ["fingerprint", "step", "psnr"]
LONGEST = 200
"""So many bytes a name of ours has at most; systems take 255, with endings."""


class Store:
    """Keeps what a comparison has found out, in files that other programs can read.

    Args:
        folder: where; it is made, or goes on from an earlier run of the same comparison.
        jobs: of the comparison.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job]) -> None:
        self.folder = folder
        scene, crop = jobs[0].scene, jobs[0].settings.crop
        kinds = [name for name in ("clean", "noisy") if getattr(scene, name) is not None]
        about = {"pictures": " and ".join(kinds), "crop": crop}
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _check_columns(folder / ROWS)
            if not (folder / ABOUT).exists():
                if any(path.name != f"{ABOUT}.new" for path in folder.iterdir()):
                    raise UserError("holds other files than a comparison's; choose a new folder with -o")
                fresh = folder / f"{ABOUT}.new"
                fresh.write_text(json.dumps(about))
                fresh.replace(folder / ABOUT)
            found = _read_about(folder / ABOUT)
            if found != about:
                told = f"of {found['pictures']} pictures, crop {found['crop']}"
                raise UserError(f"holds a comparison {told}; choose a new folder with -o")
            names = {row["image"] for row in self.rows()}
            if names and not names & {job.scene.name for job in jobs}:
                told = ", ".join(sorted(names)[:3])
                raise UserError(f"holds a comparison of other pictures ({told} ...); choose a new folder with -o")

    def rows(self) -> list[Row]:
        """Return all rows, the newest of each job alone."""
        return self.read(self.folder)

    @staticmethod
    def read(folder: Path) -> list[Row]:
        """Return the rows of a folder that may not be a comparison's yet."""
        newest = {row_key(row): row for row in _read(folder / ROWS)}
        return list(newest.values())

    def rows_of(self, jobs: Iterable[Job]) -> list[Row]:
        """Return the rows of some jobs, in the order of the file."""
        wanted = {job.key for job in jobs}
        return [row for row in self.rows() if row_key(row) in wanted]

    def done(self, jobs: Iterable[Job]) -> set[tuple[str, ...]]:
        """Return the keys of the jobs that are done, with the recipe, the files and the settings as they are now."""
        fingerprints = {row_key(row): row["fingerprint"] for row in self.rows() if row["status"] == "done"}
        return {job.key for job in jobs if fingerprints.get(job.key) == job.fingerprint()}

    def add(self, outcome: Outcome) -> None:
        """Keep the outcome of a job: picture and curve first, so that a row always has both."""
        row = outcome.row
        with write_errors(self.folder):
            if outcome.picture is not None:
                path = self.picture_path(row)
                path.parent.mkdir(parents=True, exist_ok=True)
                _image(outcome.picture).save(path)
            points = [(row["fingerprint"], str(step), f"{psnr:.3f}") for step, psnr in outcome.curve]
            _append(self.folder / CURVES, CURVE_FIELDS, [dict(zip(CURVE_FIELDS, each, strict=True)) for each in points])
            _append(self.folder / ROWS, FIELDS, [row])

    def tidy(self) -> None:
        """Put the rows in an order that does not depend on how the run went, and leave out those that were replaced."""
        rows = sorted(self.rows(), key=lambda row: (row["noise"], row["image"], int(row["seed"]), row["recipe"]))
        fresh = self.folder / f"{ROWS}.new"
        with write_errors(self.folder):
            fresh.unlink(missing_ok=True)
            _append(fresh, FIELDS, rows)
            fresh.replace(self.folder / ROWS)

    def picture_path(self, row: Row) -> Path:
        """Return where the picture of a row is."""
        noise = row["noise"].replace(":", "-").replace("|", "-or-")
        scene = f"{row['image']}_{noise}_{row['seed']}"
        return self.folder / "pictures" / _short(scene) / f"{_short(row['recipe'])}.png"

    def picture(self, row: Row) -> NDArray[np.uint8]:
        """Return the result of a row, ``(H, W, C)``."""
        with read_errors(self.picture_path(row)), Image.open(self.picture_path(row)) as image:
            array = np.asarray(image)
        return array if array.ndim == 3 else array[..., None]

    def curves(self) -> dict[str, Curve]:
        """Return the curve of each row by fingerprint."""
        found: dict[str, Curve] = {}
        for row in _read(self.folder / CURVES):
            found.setdefault(row["fingerprint"], []).append((int(row["step"]), float(row["psnr"])))
        return {name: sorted(set(curve)) for name, curve in found.items()}


def _read(path: Path) -> list[Row]:
    """Return the rows of a file but the last one where a full disk or a kill has cut it off, as ``_append`` does."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1].decode()
    return [row for row in csv.DictReader(io.StringIO(whole, newline="")) if None not in row.values()]


def _read_about(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        return {name: found[name] for name in ("pictures", "crop")}
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{path.name} is not what a comparison writes; choose a new folder with -o") from None


def _check_columns(path: Path) -> None:
    if path.is_file():
        with path.open(newline="") as file:
            columns = next(csv.reader(file), FIELDS)
        if columns != FIELDS:
            raise UserError(f"{path.name} has other columns than this version writes; choose a new folder with -o")


def _append(path: Path, fields: Sequence[str], rows: Sequence[Row]) -> None:
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)  # the last row was cut off: it must not swallow this one
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields)
        if not whole:
            writer.writeheader()
        writer.writerows(rows)


def _short(name: str) -> str:
    """Return a file's name that every system takes: the end of a long one tells it from others."""
    content = name.encode()
    if len(content) <= LONGEST:
        return name
    return f"{content[: LONGEST - 17].decode(errors='ignore')}_{hashlib.sha256(content).hexdigest()[:16]}"


def _image(array: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
