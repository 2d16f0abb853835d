"""Build wheel and sdist, check both, and use the wheel in empty environments; ``make release-check`` runs it.

Each extra gets an environment of its own. A Python for which pip would load a CUDA build of torch, several gigabytes,
is only asked for what needs no torch, and pip whether it finds each extra; with
``PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu`` it does all.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "torchdenoise"
MAX_WHEEL = 5 << 20
"""Bytes: most are the weights, and PyPI keeps each version for ever."""
NOISY = b"P5 24 20 255\n" + bytes(value * 97 % 256 for value in range(24 * 20))
"""A grey picture in the PGM format, which each other format can hold."""
DENOISE = "denoise noisy.pgm --max-steps 2 --device cpu --overwrite"
ALONE = ("--help", f"{DENOISE} -o clean.tif", "denoise clean.tif -o again.tif --max-steps 2 --device cpu")
"""Reads a TIFF, too: newer versions of its library need newer Pythons than the oldest one."""
USES = {
    "bm3d": "denoise noisy.pgm -o bm3d.pgm --recipe bm3d",
    "classical": "denoise noisy.pgm -o tv.pgm --recipe tv",
    "figures": "compare --recipes zsn2n --data noisy.pgm --noise gaussian:25 --max-steps 2 --device cpu --figures -o .",
    "zarr": f"{DENOISE} -o clean.ome.zarr",
    "bio": f"{DENOISE} -o clean.nii",
    "onnx": "export torchdenoise:grey -o grey.onnx",
    "bioimage": "export torchdenoise:grey -o grey.zip",
}
"""What needs an extra; with the others, a picture is denoised."""
WITHOUT_TORCH = ("--help", "denoise --help", "list recipes", "cite fast")
CUDA = ("cuda-", "nvidia-", "triton")
"""Beginnings of the names of packages that PyPI's torch for Linux brings along."""
UNCHECKED = {"dev": "`make test` installs and uses it"}


class CheckError(Exception):
    """What is wrong with a distribution, in one line."""


@dataclass(frozen=True)
class Distributions:
    """A wheel and the sdist that it was built from."""

    wheel: Path
    sdist: Path

    def metadata(self) -> Message:
        """Return the metadata of the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            [name] = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            return Parser().parsestr(archive.read(name).decode())

    def pythons(self) -> list[str]:
        """Return the commands that start the versions of Python in the classifiers."""
        classifiers = self.metadata().get_all("Classifier", [])
        found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in classifiers)
        return [f"python{match[1]}" for match in found if match]


def build(source: Path, target: Path, *options: str) -> Distributions:
    """Build the sdist of a source folder, and the wheel from the sdist."""
    run([sys.executable, "-m", "build", "--outdir", target, *options, source])
    [wheel], [sdist] = target.glob("*.whl"), target.glob("*.tar.gz")
    return Distributions(wheel, sdist)


def check(built: Distributions, source: Path) -> None:
    """Check metadata and contents.

    Raises:
        CheckError: the wheel is too large, holds other files than the package, or a tool found something.
    """
    run([sys.executable, "-m", "twine", "check", "--strict", built.wheel, built.sdist])
    run([sys.executable, "-m", "check_wheel_contents", built.wheel])
    if (size := built.wheel.stat().st_size) > MAX_WHEEL:
        raise CheckError(f"{built.wheel.name}: {size / 2**20:.1f} MiB, more than {MAX_WHEEL >> 20}")
    with zipfile.ZipFile(built.wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {path.relative_to(source).as_posix() for path in package_files(source)}
    if wrong := sorted(packed ^ wanted):
        raise CheckError(f"{built.wheel.name}: in the wheel or in {PACKAGE}/, but not in both: {', '.join(wrong)}")


def package_files(source: Path) -> Iterator[Path]:
    """Yield the files of the package in a source folder."""
    for path in (source / PACKAGE).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def run(words: Sequence[object], folder: Path | None = None) -> str:
    """Run a program, which no variable leads to this checkout, and return what it printed.

    Raises:
        CheckError: it failed; the message ends with what it said last.
    """
    command = [str(word) for word in words]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CheckError(f"{command[0]}: {error}") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-10:]
        raise CheckError("\n".join([f"{' '.join(command)} ended with code {done.returncode}:", *said]))
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and an empty folder to work in."""

    folder: Path
    python: Path

    @classmethod
    def create(cls, interpreter: str, folder: Path) -> "Environment":
        """Make an empty one."""
        run([interpreter, "-m", "venv", folder])
        (folder / "work").mkdir()
        (folder / "work" / "noisy.pgm").write_bytes(NOISY)
        return cls(folder, folder / "bin" / "python")

    def above(self, folder: Path) -> "Environment":
        """Make one that finds what this one holds: a fresh copy of torch for each extra would be a gigabyte."""
        fresh = self.create(str(self.python), folder)
        [beside], [here] = (each.folder.glob("lib/python3*/site-packages") for each in (self, fresh))
        (here / "below.pth").write_text(f"{beside}\n")
        return fresh

    def install(self, *words: object) -> str:
        """Run ``pip install`` with the versions that the tests use."""
        pip = [self.python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
        return run([*pip, *words])

    def plan(self, requirement: object) -> dict[str, str]:
        """Return name -> version of what a wheel needs, or a wheel with an extra; CheckError if it is not to be had."""
        report = json.loads(self.install("--dry-run", "--ignore-installed", "--report", "-", requirement))
        planned = {each["metadata"]["name"]: each["metadata"]["version"] for each in report["install"]}
        return {name: version for name, version in planned.items() if name != PACKAGE}

    def compile(self) -> None:
        """Compile the installed package; CheckError if this Python warns of its syntax."""
        [package] = self.folder.glob(f"lib/python3*/site-packages/{PACKAGE}")
        run([self.python, "-W", "error", "-m", "compileall", "-q", "-f", package])

    def use(self, version: str, *commands: str) -> None:
        """Import the package and run commands.

        Raises:
            CheckError: one failed, or the versions differ.
        """
        work = self.folder / "work"
        said = [
            run([self.python, "-c", f"import {PACKAGE}; print({PACKAGE}.__version__)"], work),
            run([self.folder / "bin" / PACKAGE, "--version"], work).removeprefix(f"{PACKAGE} "),
            run([self.python, "-m", PACKAGE, "--version"], work).removeprefix(f"{PACKAGE} "),
        ]
        if {each.strip() for each in said} != {version}:
            raise CheckError(f"the wheel's version is {version}, but it says {said}")
        for command in commands:
            run([self.folder / "bin" / PACKAGE, *command.split()], work)


def check_python(interpreter: str, built: Distributions, folder: Path, extras: Sequence[str]) -> Iterator[str]:
    """Use the wheel with one Python, alone and with extras, and yield a line about each step.

    Raises:
        CheckError: a step failed, the last one that is tried.
    """
    version = built.metadata()["Version"]
    base = Environment.create(interpreter, folder / "base")
    base.install("--upgrade", "pip")  # that of Python 3.11 loads whole wheels to plan an installation
    planned = base.plan(built.wheel)
    if any(name.startswith(CUDA) for name in planned):
        small = [f"{name}=={version}" for name, version in planned.items() if not name.startswith(("torch", *CUDA))]
        base.install("--no-deps", built.wheel, *small)
        base.compile()
        base.use(version, *WITHOUT_TORCH)
        yield f"its torch would be a CUDA build: compiled, imported, {', '.join(WITHOUT_TORCH)}; nothing denoised"
        for extra in extras:
            base.plan(f"{built.wheel}[{extra}]")
        yield f"can be installed, left out: {', '.join(extras)}"
        return
    base.install(built.wheel)
    base.compile()
    base.use(version, *ALONE)
    yield "without extras: compiled, imported, --help, denoised"
    for extra in extras:
        if extra in UNCHECKED:
            yield f"[{extra}]: left out, {UNCHECKED[extra]}"
            continue
        above = base.above(folder / extra)
        above.install("--ignore-installed", "--no-deps", built.wheel)
        above.install(f"{built.wheel}[{extra}]")
        use = USES.get(extra, f"{DENOISE} -o clean.pgm")
        above.use(version, use)
        yield f"[{extra}]: imported, {PACKAGE} {use}"
        shutil.rmtree(above.folder)


def check_pythons(names: Sequence[str], built: Distributions, extras: Sequence[str]) -> None:
    """Use the wheel with each Python that is at hand, and print what was done."""
    for name in names:
        try:
            version = run([name, "-c", "import platform; print(platform.python_version())"]).strip()
        except CheckError:
            print(f"{name}: not at hand", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            for line in check_python(name, built, Path(folder), extras):
                print(f"Python {version}, {line}", flush=True)


def main(args: Sequence[str] | None = None) -> int:
    """Do all checks and return the exit code: 1 if one failed."""
    options = argparse.ArgumentParser(description="Build the package, check it and use it in empty environments.")
    options.add_argument("pythons", nargs="*", metavar="PYTHON", help="default: those that the classifiers name")
    chosen = options.parse_args(args)
    target = ROOT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    try:
        built = build(ROOT, target)
        check(built, ROOT)
        print(f"{built.wheel.name}, {built.sdist.name}: metadata and contents are right", flush=True)
        check_pythons(chosen.pythons or built.pythons(), built, built.metadata().get_all("Provides-Extra", []))
    except CheckError as error:
        print(f"release-check: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
