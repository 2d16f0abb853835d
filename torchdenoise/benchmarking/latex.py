"""The table of a comparison for a paper, in LaTeX with the package booktabs."""

import math
import re
from collections.abc import Sequence

from torchdenoise import metrics
from torchdenoise.benchmarking.columns import Column, Row
from torchdenoise.benchmarking.tables import (
    Line,
    contended,
    has_best,
    lines,
    noisy_lines,
    pretrained_line,
    setting,
    table_columns,
)
from torchdenoise.errors import printable

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
        "|": r"\textbar{}", '"': "''", "[": "{[}", "]": "{]}", "*": "{*}", "\n": " ",
    }
)  # fmt: skip
"""Brackets and stars would be read as arguments at the beginning of a line of a table."""
_DAGGER = r"$^{\dagger}$"
_NONE = "--"
"""Stands where a method has no figure."""


def latex(rows: Sequence[Row], command: str, *, spread: bool = False) -> str:
    """Return a tabular: a line for each method, and for each noise its scores and the seconds.

    The first line is the noisy pictures, without rank; the methods follow, the best PSNR at the first noise first.
    The best figure of a column is bold, the second, of three or more, underlined. Comments say how it was made.

    Args:
        rows: of the comparison.
        command: that made it, for a comment.
        spread: whether the standard deviation between pictures stands beside the mean of each score.
    """
    table = lines(rows)
    noises = list(dict.fromkeys(line.noise for line in table))
    methods = list(dict.fromkeys(line.recipe for line in table))
    by_place = {(line.recipe, line.noise): line for line in table}
    shown = _shown_columns(table)
    marked = {column.name for column in shown if has_best(column, table)}
    cells = [
        _cells([by_place.get((method, noise)) for method in methods], column, column.name in marked, spread)
        for noise in noises
        for column in shown
    ]
    pretrained = {row["recipe"] for row in rows if row.get("weights")}
    names = [escaped(method) + (_DAGGER if method in pretrained else "") for method in methods]
    headings = [_heading(column, contended(rows)) for column in shown]
    text = [*_comments(rows, command, table, spread), rf"\begin{{tabular}}{{l{'r' * len(cells)}}}", r"\toprule"]
    text += [*_groups(noises, len(shown)), _line(["Method", *headings * len(noises)]), r"\midrule"]
    text += _noisy_line(rows, noises, shown, spread)
    text += [_line([name, *figures]) for name, *figures in zip(names, *cells, strict=True)]
    text.append(r"\bottomrule")
    if pretrained:
        note = rf"\footnotesize {_DAGGER}\,weights trained on other pictures"
        text.append(_line([rf"\multicolumn{{{1 + len(cells)}}}{{l}}{{{note}}}"]))
    return "\n".join([*text, r"\end{tabular}", ""])


def escaped(text: str) -> str:
    r"""Return text that LaTeX prints as it stands.

    Example:
        >>> print(escaped("50 % of a_b"))
        50 \% of a\_b
    """
    return re.sub("-(?=-)", "-{}", printable(text).translate(_SPECIAL))  # two hyphens would become a dash


def _shown_columns(table: Sequence[Line]) -> list[Column]:
    """Return the metrics of which one value is better than another, or without any, all; and the seconds."""
    known = metrics.all_metrics()
    there = [column for column in table_columns(table) if any(line[column.name] is not None for line in table)]
    scores = [column for column in there if column.name in known]
    ranked = [column for column in scores if column.higher_is_better is not None]
    return [*(ranked or scores), *(column for column in there if column.name == "seconds")]


def _noisy_line(rows: Sequence[Row], noises: Sequence[str], shown: Sequence[Column], spread: bool) -> list[str]:
    """Return the line of the noisy pictures themselves; none without clean pictures."""
    by_noise = {noise: line for noise in noises for line in noisy_lines(rows, noise)}
    figures = [
        cell for noise in noises for column in shown for cell in _cells([by_noise.get(noise)], column, False, spread)
    ]
    return [_line(["noisy", *figures])] if by_noise else []


def _heading(column: Column, busy: bool) -> str:
    return "seconds (contended)" if column.name == "seconds" and busy else escaped(column.heading)


def _cells(found: Sequence[Line | None], column: Column, marked: bool, spread: bool) -> list[str]:
    """Return the figures of a column as text, the best marked; those that look the same are ranked the same."""
    values = [None if line is None else line[column.name] for line in found]
    texts = [_NONE if value is None or math.isnan(value) else column.shown(value) for value in values]
    numbers = [float(text) for text in texts if text != _NONE]
    ranking = sorted(set(numbers), reverse=bool(column.higher_is_better))
    best = ranking[0] if len(numbers) > 1 and marked else None
    second = ranking[1] if best is not None and len(numbers) > 2 and len(ranking) > 1 else None
    cells = [text if text == _NONE else _marked(text, best, second) for text in texts]
    return [cell + _spread(line, column) for cell, line in zip(cells, found, strict=True)] if spread else cells


def _spread(line: Line | None, column: Column) -> str:
    if line is None or column.name not in line.spreads:
        return ""
    return rf" $\pm$ {column.shown(line.spreads[column.name])}"


def _marked(text: str, best: float | None, second: float | None) -> str:
    shown = r"$\infty$" if math.isinf(float(text)) else text.replace("-", "$-$")
    if float(text) == best:
        return rf"\textbf{{{shown}}}"
    return rf"\underline{{{shown}}}" if float(text) == second else shown


def _comments(rows: Sequence[Row], command: str, table: Sequence[Line], spread: bool) -> list[str]:
    found = [command, f"{setting(rows).replace('**', '')}."]  # without Markdown
    for noise in dict.fromkeys(line.noise for line in table):
        count = max(line.shared for line in table if line.noise == noise)
        found.append(f"{noise}: means over the {count} pictures (and seeds) that all its methods have finished")
    found += [r"\pm: standard deviation between these pictures"] if spread else []
    found += [pretrained_line(rows), r"Needs \usepackage{booktabs}; best bold, second underlined."]
    return [f"% {printable(' '.join(line.splitlines()))}" for line in found if line]


def _groups(noises: Sequence[str], width: int) -> list[str]:
    """Return the line that names the noises above their columns, and the rules below the names."""
    heads = [rf"\multicolumn{{{width}}}{{c}}{{{escaped(noise)}}}" for noise in noises]
    first = [2 + width * number for number in range(len(noises))]
    rules = [rf"\cmidrule(lr){{{begin}-{begin + width - 1}}}" for begin in first]
    return [_line(["", *heads]), " ".join(rules)] if width else []


def _line(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"
