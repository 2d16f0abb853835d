"""The table of a comparison: means over the pictures that all its methods have finished."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import mean, stdev

from torchdenoise.benchmarking.columns import Column, Row, columns
from torchdenoise.errors import printable
from torchdenoise.metrics import all_metrics

HINTS = {
    "recipe": "the method",
    "n": "pictures, and seeds, that all methods of this table have finished",
}
"""Of the columns that are not figures."""


@dataclass(frozen=True)
class Line:
    """A method under one noise: figures by column, over the shared pictures; None where there is none."""

    recipe: str
    noise: str
    shared: int
    done: int
    failed: int
    figures: Mapping[str, float | None]
    spreads: Mapping[str, float]
    """Standard deviations of scores between pictures, by column; those that there are."""

    def __getitem__(self, column: str) -> float | None:
        return self.figures[column]

    @property
    def psnr(self) -> float | None:
        """The mean PSNR in dB."""
        return self.figures["psnr"]

    @property
    def ssim(self) -> float | None:
        """The mean SSIM."""
        return self.figures["ssim"]

    def count(self) -> str:
        """Return the number of shared pictures in words, with those beyond and failures."""
        more = f" of {self.done}" if self.done != self.shared else ""
        return f"{self.shared}{more}" + (f" ({self.failed} failed)" if self.failed else "")

    def cell(self, column: Column) -> str:
        """Return a figure as text, PSNR with its spread."""
        spread = f" ± {column.shown(self.spreads['psnr'])}" if column.name == "psnr" in self.spreads else ""
        return f"{column.shown(self[column.name])}{spread}"


def figure_columns() -> list[Column]:
    """Return the columns of figures that tables may show."""
    return [column for column in columns().values() if column.heading]


def table_columns(table: Sequence[Line]) -> list[Column]:
    """Return the columns of figures that a table shows: of the metrics those that a method has a figure of.

    Where there is the share of the measured noise that was removed, what was removed is left out: the ranges of
    pictures may differ, and a mean over them would say nothing.
    """
    absent = {name for name in all_metrics() if all(line[name] is None for line in table)}
    if "removed_share" not in absent:
        absent.add("removed")
    return [column for column in figure_columns() if column.name not in absent]


def has_best(column: Column, table: Sequence[Line]) -> bool:
    """Return whether the best figure of a column is marked.

    Seconds and memory say nothing of a method whose quality is not known, so they need a metric that ranks the methods.
    """
    metrics = all_metrics()
    ranked = [each for each in table_columns(table) if each.name in metrics and each.higher_is_better is not None]
    return column.higher_is_better is not None and bool(ranked)


def lines(rows: Sequence[Row]) -> list[Line]:
    """Return a line for each method and noise, the best PSNR first; methods without a finished row come last.

    Figures are over the pictures (and seeds) that every method with a finished row has finished.
    """
    noises = dict.fromkeys(row["noise"] for row in rows)
    return [line for noise in noises for line in _of_noise(noise, [row for row in rows if row["noise"] == noise])]


def _of_noise(noise: str, rows: Sequence[Row]) -> list[Line]:
    shared = shared_scenes(rows)
    found = []
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        mine = [row for row in rows if row["recipe"] == recipe]
        done = [row for row in mine if row["status"] == "done"]
        common = [row for row in done if _scene(row) in shared]
        found.append(
            Line(
                recipe=recipe,
                noise=noise,
                shared=len(common),
                done=len(done),
                failed=sum(row["status"] == "failed" for row in mine),
                figures={column.name: _figure(column, done, common) for column in figure_columns()},
                spreads=_spreads({name: _values(common, name) for name in all_metrics()}),
            )
        )
    return sorted(found, key=lambda line: (not line.shared, -(line.psnr or 0), line.recipe))


def noisy_lines(rows: Sequence[Row], noise: str) -> list[Line]:
    """Return the scores of the noisy pictures themselves under a noise, as a line; none without clean pictures.

    They are means over the same pictures as those of the methods.
    """
    mine = [row for row in rows if row["noise"] == noise]
    shared = shared_scenes(mine)
    common = list({_scene(row): row for row in mine if row["status"] == "done" and _scene(row) in shared}.values())
    found = {name: _values(common, f"noisy_{name}") for name in columns() if f"noisy_{name}" in columns()}
    if not any(found.values()):
        return []
    scores = {name: mean(values) for name, values in found.items() if values}
    figures = {name: scores.get(name) for name, column in columns().items() if column.heading}
    return [Line("noisy", noise, len(common), len(common), 0, figures, _spreads(found))]


def _spreads(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the standard deviations of those scores that have one."""
    return {name: stdev(values) for name, values in scores.items() if len(values) > 1 and all(map(isfinite, values))}


def _figure(column: Column, done: Sequence[Row], common: Sequence[Row]) -> float | None:
    """Return the mean of a float column over the shared rows, or the first value of an int column."""
    values = _values(common if column.kind is float else done[:1], column.name)
    return mean(values) if values else None


def shared_scenes(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """Return picture and seed of what every method with a finished row has finished, for rows of one noise."""
    finished: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if row["status"] == "done":
            finished.setdefault(row["recipe"], set()).add(_scene(row))
    return set.intersection(*finished.values()) if finished else set()


def _scene(row: Row) -> tuple[str, str]:
    return (row["image"], row["seed"])


def _values(rows: Sequence[Row], name: str) -> list[float]:
    """Return a column's values; none unless all rows have one, because a mean over fewer would not compare."""
    values = [float(row[name]) for row in rows if row[name]]
    return values if len(values) == len(rows) else []


def setting(rows: Sequence[Row]) -> str:
    """Return seeds, crop, threads, device and versions of rows as a sentence."""
    found = {
        name: ", ".join(sorted({row[name] for row in rows if row[name]}))
        for name in ("seed", "crop", "threads", "device", "torch", "lightning", "torchdenoise")
    }
    crop = f"Centre crops {found['crop']}x{found['crop']}" if found["crop"] else "Whole pictures"
    threads = f"{found['threads']} thread{'' if found['threads'] == '1' else 's'}"
    together = max((int(row["batch"]) for row in rows if row["batch"]), default=1)
    batch = f", up to {together} pictures fitted together" if together > 1 else ""
    busy = ", several jobs at a time: **seconds are contended**" if contended(rows) else ""
    return (
        f"{crop}, seed {found['seed']}, {threads} a job on {found['device']}{batch}{busy}; "
        f"torch {found['torch']}, lightning {found['lightning']}, torchdenoise {found['torchdenoise']}"
    )


def contended(rows: Sequence[Row]) -> bool:
    """Return whether some rows were computed beside others, so that their seconds say little."""
    return any(row["workers"] not in ("", "1") for row in rows)


def markdown(rows: Sequence[Row], command: str) -> str:
    """Return the page of a comparison."""
    text = ["# Comparison", "", f"`{_plain(command)}`", "", f"{_plain(setting(rows))}.", ""]
    text.append("Means over the n pictures that all methods of a table have finished, ± their standard deviation.")
    if any(row["noisy_psnr"] for row in rows):
        text.append("The line `noisy` is the noisy pictures themselves; the methods follow, the best PSNR first.")
    text += ["", *(f"- `{column.heading}`: {column.hint}" for column in table_columns(lines(rows)))]
    if trained := pretrained_line(rows):
        text += ["", _plain(trained)]
    for noise in dict.fromkeys(row["noise"] for row in rows):
        text += [
            "",
            f"## {_plain(noise)}",
            "",
            *_table([*noisy_lines(rows, noise), *(line for line in lines(rows) if line.noise == noise)]),
        ]
    if warnings := warning_lines(rows):
        text += ["", "## Warnings", "", *(f"- {_plain(line)}" for line in warnings)]
    failures = [row for row in rows if row["status"] == "failed"]
    if failures:
        text += ["", "## Failed", ""]
        named = (f"{row['recipe']} on {row['image']}, {row['noise']}: {row['error']}" for row in failures)
        text += [f"- {_plain(line)}" for line in named]
    return "\n".join([*text, ""])


def pretrained_line(rows: Sequence[Row]) -> str:
    """Return which methods use weights trained on other pictures, a league of their own; empty if none does."""
    used = {row["recipe"]: row["weights"] for row in rows if row.get("weights")}
    named = ", ".join(f"{recipe} ({weights})" for recipe, weights in used.items())
    return f"With weights trained on other pictures: {named}. The others see one picture alone." if used else ""


def warning_lines(rows: Sequence[Row]) -> list[str]:
    """Return the assumptions that the noise violates, by method and noise, with the number of pictures."""
    found = []
    for recipe, noise in dict.fromkeys((row["recipe"], row["noise"]) for row in rows):
        mine = [row for row in rows if (row["recipe"], row["noise"], row["status"]) == (recipe, noise, "done")]
        reasons = Counter(row["warning"] for row in mine if row["warning"])
        found += [f"{recipe}, {noise}, {count} of {len(mine)}: {reason}" for reason, count in reasons.items()]
    return found


def _table(table: Sequence[Line]) -> list[str]:
    shown_columns = table_columns(table)
    rows = [["recipe", "n", *(column.heading for column in shown_columns)], ["---"] * (2 + len(shown_columns))]
    rows += [[line.recipe, line.count(), *map(line.cell, shown_columns)] for line in table]
    return [f"| {' | '.join(map(_plain, cells))} |" for cells in rows]


def _plain(text: str) -> str:
    """Return text in which nothing is HTML, the end of a table's cell or line, or steers a terminal."""
    return printable(" ".join(text.split("\n"))).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
