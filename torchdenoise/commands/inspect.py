"""``torchdenoise inspect``: say what the noise of pictures is, and which recipes suit it."""

import argparse
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchdenoise.commands.arguments import Parser, add_channels_option, data_range
from torchdenoise.commands.folders import add_search_options, search_of
from torchdenoise.commands.new_files import check_new_file
from torchdenoise.commands.scenes import add_scene_option, scene_finder
from torchdenoise.errors import UserError
from torchdenoise.partial_files import completed
from torchdenoise.plans import input_pictures
from torchdenoise.scenes import Source

if TYPE_CHECKING:
    from torchdenoise.inspection import Findings

EXAMPLES = """\
  torchdenoise inspect noisy.png                      a table: level, correlation, clipping, recipes
  torchdenoise inspect scans/ --html noise.html       a page with plots
  torchdenoise inspect scans/ -r --pattern '*.tif'    folders within folders, only these files
  torchdenoise inspect noisy.png --json               machine readable, on standard output
  torchdenoise inspect flat.png --json profile.json   a file that other commands take:
  torchdenoise denoise scans/ -o clean/ --noise-profile profile.json
  torchdenoise compare --recipes fast,bm3d --data clean/ --noise measured:profile.json -o results/
"""

STDOUT = "-"
SHADES = ((0.75, "█"), (0.5, "▓"), (0.25, "▒"), (0.1, "░"), (-0.1, "·"))
"""Characters of correlations from these values on; below, it is negative."""
NEGATIVE = "-"
CORRELATION = "neighbours' correlation"

Rows = list[tuple[str, str]]
"""Names and texts of facts."""


@dataclass(frozen=True)
class _Inspected:
    """What is found in a picture, or in the frames of a stack that share their noise."""

    source: Source
    channel: str
    """Which one it is about, where the channels of a stack are denoised apart; else nothing."""
    findings: "Findings"
    command: str
    stack: str
    """Axes, shape and frames of a stack, else nothing."""

    @property
    def title(self) -> str:
        return ", ".join(filter(None, [str(self.source), self.channel]))


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser(
        "torchdenoise inspect",
        "Say what the noise of pictures is, and which recipes suit it.",
        EXAMPLES,
    )
    options.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="a picture, several, or a folder")
    add_search_options(options)
    options.add_argument(
        "--json",
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="write the noise profile as JSON; default: to the terminal",
    )
    options.add_argument("--axes", metavar="TCYX", help="a letter for each axis of a stack; see torchdenoise denoise")
    add_scene_option(options)
    add_channels_option(options)
    options.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    options.add_argument(
        "--data-range", type=data_range, metavar="WHITE", help="white level of the files' values, or BLACK,WHITE"
    )
    options.add_argument("--overwrite", action="store_true", help="replace files that exist already")
    return options


def run(words: Sequence[str]) -> int:
    """Inspect what the words after ``inspect`` name, and return the exit code."""
    options = parser().parse_args(words[1:])
    _check_file(None if options.json in (None, STDOUT) else Path(options.json), "--json", (".json",), options)
    _check_file(options.html, "--html", (".html", ".htm"), options)
    pictures, remarks = input_pictures(options.inputs, search_of(options), scene_finder(options.scene))
    for line in remarks:
        _say(line, sys.stderr if options.json == STDOUT else None)
    found, failed = [], 0
    for source in pictures:
        try:
            inspected = list(_inspect(source, options))
        except UserError as error:
            if len(pictures) == 1:
                raise
            print(f"failed: {error}", file=sys.stderr)
            failed += 1
            continue
        found += inspected
        if options.json != STDOUT:
            for each in inspected:
                _show(each)
    _write(found, len(pictures), options, shlex.join(["torchdenoise", *words]))
    if failed:
        raise UserError(f"{failed} of {len(pictures)} pictures failed (see above); the others are done")
    return 0


def _check_file(path: Path | None, option: str, suffixes: tuple[str, ...], options: argparse.Namespace) -> None:
    """Refuse early a file that could not be written, or a picture taken for one."""
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path}: the name must end in {suffixes[0]}; name the pictures before {option}")
    check_new_file(path, options.overwrite)


def _inspect(source: Source, options: argparse.Namespace) -> Iterator[_Inspected]:
    """Yield what is found in a picture or a stack; of a stack whose channels are denoised apart, in each channel."""
    from torchdenoise.data import open_planes, read_picture
    from torchdenoise.data.headers import check_fits
    from torchdenoise.fitting.frames import frame_groups
    from torchdenoise.inspection import inspect_frames, inspect_image
    from torchdenoise.isolation import memory_errors
    from torchdenoise.paths import read_errors

    command = _command(source, options)
    planes = open_planes(source.path, options.axes, source.scene)
    if planes is None:
        check_fits(source.path)
        picture = read_picture(source.path, options.data_range)
        with read_errors(source), memory_errors():
            findings = inspect_image(picture.image, picture.scaling.values)
        yield _Inspected(source, "", findings, command, "")
        return
    with planes, read_errors(source), memory_errors():
        groups = frame_groups(planes, options.channels, options.data_range)
        stack = "; ".join(filter(None, [groups.describe(), groups.remark]))
        for group in groups:
            yield _Inspected(source, group.name, inspect_frames(group), command, stack)


def _command(source: Source, options: argparse.Namespace) -> str:
    """Return the command that denoises a picture."""
    words = ["torchdenoise", "denoise", str(source.path)]
    if options.axes is not None:
        words += ["--axes", options.axes]
    if source.scene is not None:
        words += ["--scene", str(source.scene)]
    if options.channels != "auto":
        words += ["--channels", options.channels]
    if options.data_range is not None:
        ends = options.data_range if isinstance(options.data_range, tuple) else (options.data_range,)
        words += ["--data-range", ",".join(f"{end:g}" for end in ends)]
    return shlex.join(words)


def _write(found: Sequence[_Inspected], number: int, options: argparse.Namespace, command: str) -> None:
    from torchdenoise.noise.profile_files import as_text, write_json
    from torchdenoise.paths import write_errors

    if options.json is not None and found:
        contents = [_content(each) for each in found]
        content = contents[0] if number == len(contents) == 1 else contents
        if options.json == STDOUT:
            print(as_text(content))
        else:
            write_json(options.json, content)
            _say(f"written: {options.json}")
    if options.html is not None and found:
        from torchdenoise.inspection import page

        sections = [(each.title, each.findings.inspection, each.findings.image, _rows(each)) for each in found]
        with write_errors(options.html), completed(options.html) as partial:
            partial.write_text(page(sections, command), encoding="utf-8")
        _say(f"written: {options.html}", sys.stderr if options.json == STDOUT else None)


def _say(line: str, file: Any = None) -> None:
    print(line, file=file or sys.stdout)


def _content(inspected: _Inspected) -> dict[str, Any]:
    from torchdenoise.noise.profile_files import BESIDE, to_json

    found = inspected.findings
    channels, height, width = found.image.shape[1:]
    beside = {
        "picture": str(inspected.source.path),
        **({"scene": inspected.source.scene} if inspected.source.scene is not None else {}),
        **({"stack": inspected.stack} if inspected.stack else {}),
        **({"channel": inspected.channel} if inspected.channel else {}),
        "channels": channels,
        "height": height,
        "width": width,
        **found.inspection.facts(),
        "recipes": {each.recipe: list(each.broken) for each in found.recipes},
        "auto": str(found.choice),
        "command": inspected.command,
    }
    return to_json(found.inspection.profile) | {BESIDE: beside}


def _rows(inspected: _Inspected) -> Rows:
    """Return the facts about a picture, each as a name and a text."""
    stack = [("axes", inspected.stack)] if inspected.stack else []
    return [*stack, *inspected.findings.in_words(), ("command", inspected.command)]


def _show(inspected: _Inspected) -> None:
    """Print the facts: as a table on a terminal, else as plain lines."""
    inspection = inspected.findings.inspection
    profile = inspection.profile
    rows = _rows(inspected)
    names = [name for name, _ in rows]
    if profile.covariance is not None and profile.covariance.shape[-1] > 1 and CORRELATION in names:
        place = names.index(CORRELATION) + 1
        rows.insert(place, ("correlation by place", shaded(profile.covariance.diagonal().mean(-1).tolist())))
    print(f"{inspected.title}: {inspection.line}")
    if not sys.stdout.isatty():
        for name, text in rows:
            print(f"  {name}: {text}" if "\n" not in text else f"  {name}:\n    " + text.replace("\n", "\n    "))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    for name, text in rows:
        table.add_row(Text(name, "bold"), Text(text))
    Console(emoji=False).print(table, width=min(shutil.get_terminal_size().columns, 140))


def shaded(values: Sequence[Sequence[float]]) -> str:
    """Return a grid of correlations as lines of block characters, two for each value.

    Example:
        >>> print(shaded([[0.0, 0.3, 0.0], [0.6, 1.0, -0.5]]))
        ··▒▒··
        ▓▓██--
    """

    def mark(value: float) -> str:
        return next((mark for least, mark in SHADES if value >= least), NEGATIVE)

    return "\n".join("".join(2 * mark(value) for value in row) for row in values)
