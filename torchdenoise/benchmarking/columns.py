"""The one table of columns, for ``results.csv``, the rows of ``compare()``, ``table.md`` and the report."""

from dataclasses import dataclass
from typing import Any

from torchdenoise.errors import UserError
from torchdenoise.metrics import MEASURED_LEVEL, all_metrics
from torchdenoise.registry import one_line

Row = dict[str, str]
"""Column -> text, as it stands in ``results.csv``."""
Key = tuple[str, str, str, str]
KEY = ("recipe", "image", "noise", "seed")
"""The columns that identify a row."""


@dataclass(frozen=True)
class Column:
    """One column of the rows; it appears in tables if it has a heading.

    Args:
        name: in ``results.csv`` and in the rows of ``compare()``.
        kind: of its values. Tables show the mean of float columns, and the first value of int columns.
        heading: in tables.
        hint: what the heading means, in a line.
        digits: decimals in tables; ``results.csv`` has two more of a metric.
        higher_is_better: None if neither is.
    """

    name: str
    kind: type[str] | type[int] | type[float] = str
    heading: str = ""
    hint: str = ""
    digits: int = 0
    higher_is_better: bool | None = None

    def shown(self, value: float | None) -> str:
        """Return a figure as text for a table; a dash for None."""
        return shown(value, self.digits)

    def typed(self, text: str) -> Any:
        """Return the value of a text in ``results.csv``; None for an empty one."""
        return self.kind(text) if text else None


def columns() -> dict[str, Column]:
    """Return all columns by name, in the order of ``results.csv``.

    ``batch`` images were fitted together: ``seconds`` is one image's share, ``memory_mb`` that of all. ``weights``
    holds the first digits of the SHA-256 of weights trained on other pictures that the method may use, ``noise_found``
    the method's line about the noise of the picture; both are empty where there is none. ``measured_level`` is that of
    a picture without a clean one, on the 0-255 scale. ``warning`` says which of its assumptions the noise violates.

    Raises:
        UserError: a metric with the name of another column.

    Example:
        >>> list(columns())[:7]
        ['recipe', 'image', 'noise', 'seed', 'status', 'psnr', 'ssim']
    """
    metrics = all_metrics()
    scored = [
        Column(name, float, each.heading or name, one_line(type(each)), each.digits, each.higher_is_better)
        for name, each in metrics.items()
    ]
    with_clean = [each for each in scored if "clean" in metrics[each.name].requires]
    ordered = [
        *(Column(name) for name in ("recipe", "image", "noise")),
        Column("seed", int),
        Column("status"),
        *with_clean,
        *(Column(f"noisy_{each.name}", float, digits=each.digits) for each in with_clean),
        *(each for each in scored if each not in with_clean),
        Column(MEASURED_LEVEL, float),
        Column("seconds", float, "seconds", "for one image, without imports and warm-up", 2, False),
        Column("steps", int, "steps", "of the optimizer"),
        Column("parameters", int, "parameters", "of the networks"),
        Column("memory_mb", float, "MiB", "the largest growth of memory in use", 0, False),
        *(Column(name, int) for name in ("batch", "crop", "threads", "workers")),
        *(Column(name) for name in ("device", "torch", "lightning", "torchdenoise", "fingerprint")),
        *(Column(name) for name in ("weights", "noise_found", "warning", "error")),
    ]
    found = {each.name: each for each in ordered}
    if len(found) < len(ordered):
        names = [each.name for each in ordered]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"the metric {twice} has the name of another column: rename it, class ...(Metric, name=...)")
    return found


def row_key(row: Row) -> Key:
    """Return what identifies a row, as the key of a job does."""
    return (row["recipe"], row["image"], row["noise"], row["seed"])


def shown(value: float | None, digits: int = 2) -> str:
    """Return a figure as text for a table; a dash for None."""
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # no minus before a zero
