"""Result folders of strangers: ``compare`` goes on with them, or refuses them and changes nothing."""

import csv
import io
import json
import random
import shlex

import pytest
from helpers import scene, write_pictures

from tests.strangers.attempts import Case, commands, make_attempts, regular
from tests.strangers.damages import cuts, flips, no_files, writing

WORDS = shlex.split(
    "compare --recipes tv,zsn2n --data clean --noise gaussian:25 --max-steps 2 --threads 1 --device cpu -o res"
)
ROWS, ABOUT, CURVES = "res/results.csv", "res/comparison.json", "res/curves.csv"
HOSTILE = {
    "nothing": "",
    "a word": "x",
    "not a number": "nan",
    "infinity": "-inf",
    "more than floats hold": "1e999",
    "many digits": "9" * 5000,
    "a negative number": "-1",
    "a quote": '"',
    "quotes and a line end": '"a\r\nb"',
    "a formula": '=HYPERLINK("http://x")',
    "a command": "=cmd|' /C calc'!A0",
    "HTML": "<script>alert(1)</script>",
    "an image": "<img src=x onerror=alert(1)>",
    "an escape sequence": "\x1b]0;owned\x07\x1b[2J",
    "a C1 sequence": "\x9b31m",
    "a null character": "a\0b",
    "a path": "../../../ran",
    "an absolute path": "/ran",
    "a right-to-left mark": "\u202egnp.x",
    "a long text": "x" * 200_000,
    "a table": "a|b\n---|---",
    "a template": "{{ 7 * 7 }}{% for x in range(9) %}",
}


def edited(content, change):
    """Return a table with changed rows; ``change`` gets them as lists of cells, the header first."""
    rows = list(csv.reader(io.StringIO(content, newline="")))
    change(rows)
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()


def without_column(number):
    return lambda rows: [row.pop(number) for row in rows]


def with_cell(number, text, every):
    return lambda rows: [row.__setitem__(number, text) for row in (rows[1:] if every else rows[1:2])]


def tables(content):
    """Yield (what, codes, damage) of the table of results."""
    header = content.splitlines()[0]
    names = header.split(",")
    ends = [at + 1 for at, each in enumerate(content) if each == "\n"]
    places = [end + shift for end in ends for shift in (-2, -1, 0, 1, 40)] + [0, 1, 9, len(header) // 2]
    for what, damage in cuts(ROWS, [place for place in places if place < len(content)]):
        place = int(what.split()[-1])
        yield what, (0,) if place == 0 or place > len(header) + 1 else (0, 2), damage
    for what, damage in [*flips(ROWS, len(content.encode()), 40), *no_files(ROWS)]:
        yield what, (0, 2), damage
    for number, name in enumerate(names):
        needed = name in ("recipe", "image", "noise", "seed", "status", "fingerprint")
        without = edited(content, without_column(number))
        yield f"no column {name}", (2,) if needed else (0,), writing(ROWS, without)
    chance = random.Random(0)
    for number, name in enumerate(names):
        for kind in chance.sample(list(HOSTILE), 3):
            cell = with_cell(number, HOSTILE[kind], every=chance.random() < 0.5)
            yield f"{kind} as {name}", (0, 2), writing(ROWS, edited(content, cell))
    lines = content.splitlines(keepends=True)
    whole = {
        "a byte order mark": ("\ufeff" + content, (0, 2)),
        "another separator": (content.replace(",", ";"), (2,)),
        "line ends of old computers": (content.replace("\r\n", "\r"), (0, 2)),
        "line ends of Unix": (content.replace("\r\n", "\n"), (0,)),
        "the header twice": (lines[0] + content, (2,)),
        "no header": ("".join(lines[1:]), (2,)),
        "only the header": (lines[0], (0,)),
        "a column twice": (edited(content, lambda rows: [row.append(row[0]) for row in rows]), (2,)),
        "a column of HTML": (edited(content, lambda rows: [row.append("<b>x</b>") for row in rows]), (0,)),
        "a column of escape sequences": (edited(content, lambda rows: [row.append("\x1b[2J") for row in rows]), (0, 2)),
        "ten thousand columns": (
            edited(content, lambda rows: [row.extend(map(str, range(10_000))) for row in rows]),
            (0, 2),
        ),
        "more cells than columns": (edited(content, lambda rows: rows[1].append("more")), (2,)),
        "fewer cells than columns": (edited(content, lambda rows: rows[1].pop()), (0, 2)),
        "each row ten thousand times": (lines[0] + "".join(lines[1:]) * 10_000, (0, 2)),
        "a million empty lines": (content + "\n" * 1_000_000, (0, 2)),
        "a line of 50 MB": (content + "x" * 50_000_000 + "\n", (0, 2)),
        "a cell of 50 MB": (edited(content, with_cell(3, "y" * 50_000_000, False)), (0, 2)),
        "rows in another order": (lines[0] + "".join(reversed(lines[1:])), (0,)),
        "a null character at the end": (content + "\0\n", (0, 2)),
    }
    for what, (text, codes) in whole.items():
        yield what, codes, writing(ROWS, text)


def descriptions(content):
    """Yield (what, codes, damage) of the description."""
    for what, damage in cuts(ABOUT, [*range(0, len(content), 3), len(content) - 1]):
        yield what, (2,), damage
    for what, damage in [*flips(ABOUT, len(content), 12), *no_files(ABOUT)]:
        yield what, (0, 2), damage
    for what, value in {
        "a list": [],
        "null": None,
        "a number": 1,
        "nothing": {},
        "numbers as pictures": {"pictures": 1, "crop": None},
        "HTML as pictures": {"pictures": "<script>alert(1)</script>", "crop": None},
        "an escape sequence as pictures": {"pictures": "\x1b[2J\x9b1m", "crop": None},
        "a long text as pictures": {"pictures": "x" * 90_000, "crop": None},
        "a crop of 4000 digits": {"pictures": "clean", "crop": 10**4000},
        "a crop that is true": {"pictures": "clean", "crop": True},
        "a crop that is a text": {"pictures": "clean", "crop": "16"},
        "a crop that is no number": {"pictures": "clean", "crop": float("nan")},
        "a crop that is a list": {"pictures": "clean", "crop": [16]},
    }.items():
        yield f"description: {what}", (2,), writing(ABOUT, json.dumps(value))
    for what, text in {
        "more": content[:-1] + ', "more": 1}',
        "a key twice": content[:-1] + ', "pictures": "noisy"}',
        "deep lists": "[" * 90_000,
        "17 MB": content + " " * (17 << 20),
        "an infinite crop": '{"pictures": "clean", "crop": 1e999}',
        "half a surrogate": '{"pictures": "\\ud800", "crop": null}',
        "a byte order mark": "\ufeff" + content,
    }.items():
        yield f"description: {what}", (0, 2) if what in ("more", "a byte order mark") else (2,), writing(ABOUT, text)


def others(curves):
    """Yield (what, codes, damage) of what the report reads beside the rows."""
    for name in (CURVES, "res/table.md", "res/report.html", "res/pictures/p0_gaussian-25_0/tv.png"):
        for what, damage in no_files(name):
            yield what, (0, 2), damage
    for kind in ("a word", "not a number", "infinity", "many digits", "HTML", "an escape sequence", "a null character"):
        for number, name in enumerate(("fingerprint", "step", "psnr")):
            text = edited(curves, with_cell(number, HOSTILE[kind], every=True))
            yield f"{kind} as a curve's {name}", (0, 2), writing(CURVES, text)


def check(folder, ended):
    """Yield what is wrong in a folder that ``compare`` has accepted."""
    for name in ("table.md", "report.html"):
        text = regular(folder / "res" / name).read_text(encoding="utf-8")
        if "<script>alert" in text or "<img src=x" in text:
            yield f"HTML in {name}"
        if any(not each.isprintable() and each not in "\n\t" for each in text):
            yield f"control characters in {name}"
    with regular(folder / ROWS).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if len([row for row in rows if row["recipe"] in ("tv", "zsn2n") and row["status"] == "done"]) < 4:
        yield "rows are missing"
    if any(cell.startswith("=") for row in rows for cell in row.values()):
        yield "formulas in the table"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_result_folders_of_strangers(tmp_path, record_property):
    base = tmp_path / "base"
    base.mkdir()
    write_pictures(base / "clean", scene)
    with commands(tmp_path) as runner:
        ended = runner.run(base, WORDS, seconds=120)
        assert ended.code == 0, ended.err
        found = [
            *tables((base / ROWS).read_bytes().decode()),
            *descriptions((base / ABOUT).read_text()),
            *others((base / CURVES).read_bytes().decode()),
        ]
        cases = [Case(what, damage, WORDS, codes) for what, codes, damage in found]
        count, wrong = make_attempts("result folders", cases, base, runner, check)
    record_property("figure", count)
    assert not wrong, "\n".join([count, *wrong])
