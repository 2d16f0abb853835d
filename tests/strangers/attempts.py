"""Attempts: a command is given a stranger's file, and must end well whatever is in it."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FULL = os.environ.get("TORCHDENOISE_TORTURE") == "full"
SHARE = 10
"""Without the variable, one of so many attempts is made."""
SECONDS = 20
GROWN = 1 << 30
"""Bytes of memory that a command may take above those of its imports."""
MARKER = "ran"
"""The file that hostile code makes."""
LOGS = "runs"
"""The folder of the fits' logs: a fit that is refused while it begins has written its configuration there."""


@dataclass(frozen=True)
class Case:
    """A damage to a fresh copy of a folder, the command that meets it there, and the exit codes that are right."""

    name: str
    damage: Callable[[Path], object]
    words: Sequence[str]
    codes: tuple[int, ...] = (0, 2)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, None if it was killed when its time was up."""

    code: int | None
    seconds: float
    grown: int
    out: str
    err: str


class Commands:
    """Runs command lines in children of a warm process."""

    def __init__(self, scratch: Path) -> None:
        self._texts = [scratch / "out.txt", scratch / "err.txt"]
        script = Path(__file__).with_name("warm_process.py")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, folder: Path, words: Sequence[str], seconds: float = SECONDS) -> Ended:
        """Run a command in a folder."""
        out, err = map(str, self._texts)
        job = {"folder": str(folder), "words": list(words), "out": out, "err": err, "seconds": seconds}
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(job), file=self._process.stdin, flush=True)
        texts: dict[str, Any] = json.loads(self._process.stdout.readline())
        shown = [path.read_bytes().decode(errors="backslashreplace") for path in self._texts]
        return Ended(**texts, out=shown[0], err=shown[1])

    def close(self) -> None:
        """End the warm process."""
        self._process.communicate()


@contextmanager
def commands(scratch: Path) -> Iterator[Commands]:
    """Give what runs commands; it ends with the block."""
    made = Commands(scratch)
    try:
        yield made
    finally:
        made.close()


def make_attempts(
    title: str,
    cases: Iterable[Case],
    base: Path,
    runner: Commands,
    check: Callable[[Path, Ended], Iterable[str]],
) -> tuple[str, list[str]]:
    """Make the attempts, each in a fresh copy of ``base``; return the count as a line, and a line for each wrong one.

    Args:
        title: what the files are.
        cases: of each name, the last one is tried.
        base: the folder that is damaged.
        runner: what runs the commands.
        check: what is wrong in a folder after a command with exit code 0.
    """
    cases = list({case.name: case for case in cases}.values())
    cases = cases if FULL else random.Random(0).sample(cases, len(cases) // SHARE)
    wrong = []
    for case in cases:
        folder = base.with_name("case")
        shutil.copytree(base, folder)
        case.damage(folder)
        before = contents(folder)
        ended = runner.run(folder, case.words)
        if found := [*_faults(ended, case, folder, before), *_result_faults(check, folder, ended)]:
            wrong.append(f"{case.name}: {'; '.join(found)} | {' '.join(case.words)} | {ended.err[-400:]!a}")
        shutil.rmtree(folder)
    return f"{title}: {len(cases)} tried, {len(cases) - len(wrong)} right, {len(wrong)} wrong", wrong


def regular(path: Path) -> Path:
    """Return a path that may be read to its end; ValueError for what is no file, which may have none."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is no file")
    return path


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return the relative path -> bytes of each file; None for what is no file."""
    found = {}
    for path in folder.rglob("*"):
        kind = os.lstat(path)
        known = stat.S_ISREG(kind.st_mode) and kind.st_size < 1 << 26
        found[str(path.relative_to(folder))] = path.read_bytes() if known else None
    return found


def _result_faults(check: Callable[[Path, Ended], Iterable[str]], folder: Path, ended: Ended) -> list[str]:
    try:
        return list(check(folder, ended)) if ended.code == 0 else []
    except Exception as error:
        return [f"the result cannot be read ({type(error).__name__}: {error})"]


def _faults(ended: Ended, case: Case, folder: Path, before: dict[str, bytes | None]) -> Iterator[str]:
    """Yield what is wrong with the end of a command."""
    if ended.code is None:
        yield f"not done after {SECONDS} s"
    elif ended.code not in case.codes:
        yield f"exit code {ended.code}"
    if ended.grown > GROWN:
        yield f"{ended.grown >> 20} MiB"
    if "Traceback" in ended.out + ended.err:
        yield "traceback"
    if ended.err.count("\n") > 2 or (ended.code == 2 and not ended.err.strip()):
        yield f"{ended.err.count(chr(10))} lines on stderr"
    if odd := {each for each in ended.out + ended.err if not each.isprintable()} - {"\n", "\t"}:
        yield f"control characters {sorted(odd)}"
    after = contents(folder)
    if any(Path(name).name.startswith(MARKER) for name in after):
        yield "its code was run"
    unfinished = [name for name in after if name.endswith((".part", ".new", ".tmp")) and name not in before]
    changed = [name for name in after.keys() | before.keys() if after.get(name, "") != before.get(name, "")]
    results = [name for name in changed if Path(name).parts[0] != LOGS]
    if unfinished or (ended.code == 2 and results):
        yield f"left behind: {sorted({*unfinished, *results})[:4]}"
