"""The folder of a comparison: rows, curves and pictures, written when each job ends."""

import contextlib
import csv
import errno
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from torchdenoise.benchmarking.columns import KEY, Column, Row, columns, row_key
from torchdenoise.benchmarking.jobs import Job
from torchdenoise.benchmarking.measuring import Curve
from torchdenoise.benchmarking.scoring import Outcome
from torchdenoise.bounded import load_json, read_text
from torchdenoise.data import Picture, read_picture, write_picture
from torchdenoise.errors import UserError
from torchdenoise.partial_files import completed
from torchdenoise.paths import output_suffix, write_errors

ROWS, CURVES, ABOUT = "results.csv", "curves.csv", "comparison.json"
CURVE_FIELDS = ["fingerprint", "step", "psnr"]
REQUIRED = {*KEY, "status", "fingerprint"}
"""The columns without which a file is no comparison's."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a cell that a spreadsheet computes."""
_MAX_TABLE = 1 << 26
"""Bytes of a table that are read: about 200,000 rows."""
_MAX_ABOUT = 100_000
"""Bytes of a ``comparison.json`` that are read; a true one has fewer than 100."""
MAX_NAME_BYTES = 200
"""Of a file name; file systems allow 255, suffix included."""


class Store:
    """Stores the results of a comparison in files that other programs can read.

    Rows of an earlier version, or with metrics that are not registered now, keep their columns. Missing values are
    empty.

    Args:
        folder: a new one, or that of an earlier run of the same comparison.
        jobs: of the comparison.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job]) -> None:
        self.folder = folder
        self._suffixes = {job.scene.name: output_suffix(job.scene.source) for job in jobs}
        scene, crop = jobs[0].scene, jobs[0].settings.crop
        kinds = [name for name in ("clean", "noisy") if getattr(scene, name) is not None]
        about = {"pictures": " and ".join(kinds), "crop": crop}
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in (ROWS, CURVES, ABOUT):
                _check_file(folder / name)
            self.fields = _fields(folder / ROWS)
            if not (folder / ABOUT).exists():
                if any(path.name != f"{ABOUT}.new" for path in folder.iterdir()):
                    raise UserError("holds other files than a comparison's; choose a new folder with -o")
                fresh = folder / f"{ABOUT}.new"
                fresh.write_text(json.dumps(about))
                fresh.replace(folder / ABOUT)
            found = _read_about(folder / ABOUT)
            if found != about:
                earlier = f"{found['pictures']} pictures, crop {found['crop']}"
                raise UserError(f"holds a comparison of {earlier}; choose a new folder with -o")
            names = {row["image"] for row in self.rows()}
            if names and not names & {job.scene.name for job in jobs}:
                some = ", ".join(sorted(names)[:3])
                raise UserError(f"holds a comparison of other pictures ({some} ...); choose a new folder with -o")
        if _header(folder / ROWS) not in ([], self.fields):
            self.tidy()

    def rows(self) -> list[Row]:
        """Return the newest row of each job."""
        return self.read(self.folder)

    @staticmethod
    def read(folder: Path) -> list[Row]:
        """Return the rows of a folder, with all known columns; none if there is no such folder."""
        known = columns()
        empty = dict.fromkeys(known, "")
        newest = {row_key(row): empty | row for row in _read(folder / ROWS, lambda row: _check_row(row, known))}
        return list(newest.values())

    def rows_of(self, jobs: Iterable[Job]) -> list[Row]:
        """Return the rows of some jobs, in the order of the file."""
        wanted = {job.key for job in jobs}
        return [row for row in self.rows() if row_key(row) in wanted]

    def done(self, jobs: Iterable[Job]) -> set[tuple[str, ...]]:
        """Return the keys of the jobs that are done with the present recipe, files and settings."""
        fingerprints = {row_key(row): row["fingerprint"] for row in self.rows() if row["status"] == "done"}
        return {job.key for job in jobs if fingerprints.get(job.key) == job.fingerprint()}

    def add(self, outcome: Outcome) -> None:
        """Write the outcome of a job: picture and curve first, so that a row always has both."""
        row = outcome.row
        if outcome.result is not None:
            image, like = outcome.result
            noted = like.with_remarks([like.scaling.values.beside(row["noise_found"])])
            write_picture(self.picture_path(row), image, noted, overwrite=True)
        with write_errors(self.folder):
            points = [(row["fingerprint"], str(step), f"{psnr:.3f}") for step, psnr in outcome.curve]
            _append(self.folder / CURVES, CURVE_FIELDS, [dict(zip(CURVE_FIELDS, each, strict=True)) for each in points])
            _append(self.folder / ROWS, self.fields, [row])

    def tidy(self) -> None:
        """Sort the rows, and remove those that newer ones replace."""
        rows = sorted(self.rows(), key=lambda row: (row["noise"], row["image"], int(row["seed"]), row["recipe"]))
        fresh = self.folder / f"{ROWS}.new"
        with write_errors(self.folder):
            fresh.unlink(missing_ok=True)
            _append(fresh, self.fields, rows)
            fresh.replace(self.folder / ROWS)

    def write_page(self, name: str, text: str) -> None:
        """Write a page about the comparison: a new file, whatever has its name."""
        self._write(self.folder / name, text.encode())

    def write_figure(self, name: str, content: bytes) -> None:
        """Write a figure about the comparison: a new file, whatever has its name."""
        self._write(self.folder / "figures" / name, content)

    def picture_path(self, row: Row) -> Path:
        """Return the path of a row's picture, which has the format that ``denoise`` writes for such an input."""
        scene = f"{row['image']}_{noise_name(row['noise'])}_{row['seed']}"
        name = f"{short_name(row['recipe'])}{self._suffixes[row['image']]}"
        return self.folder / "pictures" / short_name(scene) / name

    def image(self, row: Row, like: Picture) -> Tensor:
        """Return the result of a row, ``(1, C, H, W)``, in the scaling of the picture that it is stored like."""
        return read_picture(self.picture_path(row), (like.scaling.low, like.scaling.high)).image

    def _write(self, path: Path, content: bytes) -> None:
        with write_errors(self.folder), _replaced(path) as partial:
            partial.write_bytes(content)

    def curves(self) -> dict[str, Curve]:
        """Return fingerprint -> curve."""
        found: dict[str, Curve] = {}
        for row in _read(self.folder / CURVES, _check_point):
            found.setdefault(row["fingerprint"], []).append((int(row["step"]), float(row["psnr"])))
        return {name: sorted(set(curve)) for name, curve in found.items()}


def _read(path: Path, check: Callable[[Row], None]) -> list[Row]:
    """Return the complete rows of a file: a full disk or a kill may have cut off the last one.

    Raises:
        UserError: the file is not what a comparison writes; ``check`` raises ValueError or KeyError for such a row.
    """
    content = _content(path)
    rows = []
    line = 0
    try:
        whole = content[: content.rfind(b"\n") + 1].decode()
        reader = csv.DictReader(io.StringIO(whole, newline=""), strict=True)
        for found in reader:
            line = reader.line_num
            if None in found:
                raise ValueError("more cells than columns")
            if None not in found.values():
                row = {name: _without_mark(cell) for name, cell in found.items()}
                check(row)
                rows.append(row)
    except (ValueError, KeyError, csv.Error) as error:
        raise _foreign(path, f"line {line}: {' '.join(str(error).split())[:80]}") from None
    return rows


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Give a name to write to, which takes the place of a file, a pipe or a link when the block is done."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with completed(path) as partial:
        yield partial


def _check_file(path: Path) -> None:
    """Refuse what is no file, such as a pipe, which would be waited for."""
    if os.path.lexists(path) and not path.is_file():
        raise _foreign(path, "it is no file")


def _content(path: Path) -> bytes:
    """Return the bytes of a table; none if it is missing.

    Raises:
        UserError: it is no file, or larger than that of any comparison.
    """
    _check_file(path)
    if not path.exists():
        return b""
    if path.stat().st_size > _MAX_TABLE:
        raise _foreign(path, f"it is larger than {_MAX_TABLE >> 20} MiB")
    return path.read_bytes()


def _check_row(row: Row, known: Mapping[str, Column]) -> None:
    """Raise ValueError or KeyError for a row that no comparison writes."""
    int(row["seed"])
    if row["status"] not in ("done", "failed"):
        raise ValueError(f"status {row['status']!r}")
    for name, cell in row.items():
        if name in known:
            known[name].typed(cell)
    seconds = float(row.get("seconds") or 0)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{row['seconds']} seconds")


def _check_point(row: Row) -> None:
    """Raise ValueError or KeyError for a point of a curve that no comparison writes."""
    float(row["psnr"]), row["fingerprint"]
    if int(row["step"]) < 1:
        raise ValueError(f"step {row['step']}")


def _foreign(path: Path, why: str = "") -> UserError:
    """Return the error for a file that no comparison has written."""
    reason = f" ({why})" if why else ""
    return UserError(f"{path.name} is not what a comparison writes{reason}; choose a new folder with -o")


def _marked(cell: str) -> str:
    """Return a cell that a spreadsheet shows as it is: text that begins like a formula gets an apostrophe."""
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) and not _is_number(cell) else cell


def _without_mark(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_about(path: Path) -> dict[str, Any]:
    """Return what a comparison is about; UserError for a file that no comparison writes."""
    try:
        match load_json(read_text(path, _MAX_ABOUT)):
            case {"pictures": str(pictures), "crop": int() | None as crop}:
                return {"pictures": pictures, "crop": crop}
    except UserError as error:
        raise _foreign(path, str(error)) from None
    raise _foreign(path)


def _header(path: Path) -> list[str]:
    """Return the columns of a file; none if it is missing or empty."""
    content = _content(path)
    try:
        return next(csv.reader(io.StringIO(content.decode(), newline="")), [])
    except (ValueError, csv.Error):
        raise _foreign(path) from None


def _fields(path: Path) -> list[str]:
    """Return the known columns, and after them others that a file has."""
    present = _header(path)
    if present and (REQUIRED - set(present) or len(set(present)) < len(present)):
        raise _foreign(path)
    return list(dict.fromkeys([*columns(), *present]))


def _append(path: Path, fields: Sequence[str], rows: Sequence[Row]) -> None:
    content = _content(path)
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)  # the last row was cut off: remove it, or the next one would continue it
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        if not whole:
            writer.writeheader()
        writer.writerows({name: _marked(cell) for name, cell in row.items()} for row in rows)


def noise_name(noise: str) -> str:
    """Return a noise spec as a part of a file name."""
    return noise.replace(":", "-").replace("|", "-or-")


def short_name(name: str) -> str:
    """Return a file name that every system accepts: a long one ends in a digest."""
    content = name.encode()
    if len(content) <= MAX_NAME_BYTES:
        return name
    return f"{content[: MAX_NAME_BYTES - 17].decode(errors='ignore')}_{hashlib.sha256(content).hexdigest()[:16]}"
