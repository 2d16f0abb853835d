"""CAREamics, deepinv, scikit-image and torchdenoise on the same three jobs; writes docs/results/peers.md.

    python benchmarks/peers.py install FOLDER [--packages deepinv ...]    an environment for each, and its minutes
    python benchmarks/peers.py run FOLDER [--python deepinv=PYTHON ...]   the programs, by FOLDER/NAME/bin/python
    python benchmarks/peers.py page                                       prints the page from the rows alone

The programs are in benchmarks/peers/, each as a user would write it. They run in a folder that holds the noisy picture,
and leave the clean one there. What has a row in docs/results/peers.csv is not done again: delete the rows of a program
that has changed. --runs 3 --programs careamics_stack completes three rows of what is not the same each time. --python
names another interpreter for a package; with one for each, FOLDER is not needed.
"""

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import tifffile
from csv_rows import add, read
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS_FOLDER = Path(__file__).with_name("peers")
RESULTS = ROOT / "docs" / "results"
ROWS = "peers.csv"
INSTALLATIONS = "peers_install.csv"
COLUMNS = ("program", "lines", "psnr", "noisy", "cpu", "wall", "kept", "note", "versions", "threads", "machine")
INSTALL_COLUMNS = ("package", "date", "minutes", "megabytes", "python", "versions")
LIMIT = 3600
"""Seconds after which a program is stopped."""
PIXEL = 0.108
"""Side of a pixel of the stack, in micrometres."""
STEP = 2.0
"""Seconds between two frames of the stack."""

Array = NDArray[Any]


# -- packages and programs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Package:
    """What pip installs, and whose versions are noted."""

    title: str
    requirements: tuple[str, ...]
    distributions: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """A file in benchmarks/peers: the package that it uses, its job, and how it does that."""

    file: str
    package: str
    job: str
    how: str


PACKAGES: Mapping[str, Package] = {
    "torchdenoise": Package("torchdenoise", (str(ROOT),), ("torchdenoise", "torch", "lightning")),
    "careamics": Package("CAREamics", ("careamics",), ("careamics", "torch", "torchvision", "lightning")),
    # bm3d and tifffile are what its BM3D and its load_tiff ask for; its documentation says so.
    "deepinv": Package("deepinv", ("deepinv", "bm3d", "tifffile"), ("deepinv", "torch", "torchvision", "bm3d")),
    # estimate_sigma and the wavelets of its examples ask for PyWavelets.
    "scikit-image": Package("scikit-image", ("scikit-image", "PyWavelets"), ("scikit-image", "PyWavelets", "numpy")),
}
PROGRAMS: Sequence[Program] = (
    Program("torchdenoise_photo.py", "torchdenoise", "photo", "the default recipe"),
    Program("careamics_photo.py", "careamics", "photo", "Noise2Void, its default of 30 epochs, here 30 steps"),
    Program("careamics_photo_long.py", "careamics", "photo", "Noise2Void, 100 epochs, here 100 steps"),
    Program("deepinv_photo.py", "deepinv", "photo", "Restormer for unknown levels, weights from the net"),
    Program("deepinv_photo_bm3d.py", "deepinv", "photo", "level estimated from patches, then BM3D"),
    Program("skimage_photo.py", "scikit-image", "photo", "level estimated, then non-local means"),
    Program("skimage_photo_wavelet.py", "scikit-image", "photo", "wavelets, calibrated on the picture itself"),
    Program("torchdenoise_stack.sh", "torchdenoise", "stack", "the default recipe"),
    Program("torchdenoise_stack_shared.sh", "torchdenoise", "stack", "the same, one network for all frames"),
    Program("careamics_stack.py", "careamics", "stack", "Noise2Void, its default of 30 epochs, here 90 steps"),
    Program("deepinv_stack.py", "deepinv", "stack", "RAM, weights from the net; gain as in its example"),
    Program("deepinv_stack_bm3d.py", "deepinv", "stack", "level estimated for each frame, then BM3D"),
    Program("skimage_stack.py", "scikit-image", "stack", "level estimated for each frame, then non-local means"),
    Program("torchdenoise_loss.py", "torchdenoise", "loss", "`fast`, 300 steps"),
    Program("careamics_loss.py", "careamics", "loss", "Noise2Void, 30 epochs, here 30 steps; loss replaced"),
    Program("deepinv_loss.py", "deepinv", "loss", "Neighbor2Neighbor on a U-Net, 50 epochs of one step"),
    Program("skimage_loss.py", "scikit-image", "loss", "wavelets, the best of 40 settings; loop of our own"),
)


# -- the jobs ----------------------------------------------------------------------------------------------------------


def photo() -> tuple[Array, Array]:
    """Return a photograph 256 x 256 x 3 and its noisy copy: Gaussian noise of level 25, clipped, 8 bits."""
    clean = astronaut().astype(float).reshape(256, 2, 256, 2, 3).mean((1, 3)).round()
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    return clean, (clean + noise).round().clip(0, 255).astype(np.uint8)


def stack() -> tuple[Array, Array]:
    """Return 8 frames of 128 x 128 pixels of moving spots and filaments, up to about 60 photons, and noisy counts."""
    from stacks import fluorescence

    photons = 4 + 56 * fluorescence(8, 128, np.random.default_rng(11)).mean(1)
    random = np.random.default_rng(1)
    noisy = 100 + 4 * random.poisson(photons) + random.normal(0, 6, photons.shape)
    return 100 + 4 * photons, noisy.round().clip(0, 65535).astype(np.uint16)


def write_photo(folder: Path) -> None:
    """Write noisy.png."""
    Image.fromarray(photo()[1]).save(folder / "noisy.png")


def write_stack(folder: Path) -> None:
    """Write noisy.tif, as ImageJ does: with axes, the size of a pixel and the time between frames."""
    tifffile.imwrite(
        folder / "noisy.tif", stack()[1], imagej=True, resolution=(1 / PIXEL, 1 / PIXEL),
        metadata={"axes": "TYX", "unit": "um", "finterval": STEP},
    )  # fmt: skip


def read_photo(folder: Path) -> tuple[Array, str]:
    """Return the result of a program, and nothing about what it keeps."""
    return np.asarray(Image.open(folder / "clean.png").convert("RGB"), float), ""


def read_stack(folder: Path) -> tuple[Array, str]:
    """Return the result of a program, and which properties of the noisy file it has kept."""
    with tifffile.TiffFile(folder / "clean.tif") as file:
        series = file.series[0]
        tags = file.pages[0].tags
        result = series.asarray()
        pixels = [tags[name].value for name in ("XResolution", "YResolution") if name in tags]
        sides = [below / above for above, below in pixels if above]
        kept = {
            "type": result.dtype == np.uint16,
            "axes": series.axes == "TYX",
            "pixel size": len(sides) == 2 and np.allclose(sides, PIXEL, rtol=1e-3),
            "interval": (file.imagej_metadata or {}).get("finterval") == STEP,
        }
    return result.astype(float), ", ".join(name for name, is_kept in kept.items() if is_kept) or "nothing"


@dataclass(frozen=True)
class Job:
    """A task: its title, what is asked, clean and noisy pixels, how they are written, and how a result is read."""

    title: str
    asked: str
    pixels: Callable[[], tuple[Array, Array]]
    write: Callable[[Path], None]
    read: Callable[[Path], tuple[Array, str]]


JOBS: Mapping[str, Job] = {
    "photo": Job(
        "One noisy photograph",
        "scikit-image's `astronaut`, halved to 256 x 256 pixels, RGB, Gaussian noise of level 25, clipped to 8 bits; "
        "the program reads `noisy.png`, writes `clean.png`, and does not know the level.",
        photo, write_photo, read_photo,
    ),
    "stack": Job(
        "A stack from the microscope",
        "8 made frames of 128 x 128 pixels, Poisson and read noise, 16 bits. The program reads an ImageJ TIFF, and "
        "should write one with the same type, axes, pixel size and interval between frames. It does not know the "
        "noise.",
        stack, write_stack, read_stack,
    ),
    "loss": Job(
        "My own loss",
        "The photograph again; the distance in the loss is Charbonnier's, written by the user. Compare the lines: each "
        "fit has another number of steps, those of CAREamics and deepinv are not done, and squared differences suit "
        "Gaussian noise better.",
        photo, write_photo, read_photo,
    ),
}  # fmt: skip


def psnr(clean: Array, result: Array, job: str) -> float:
    """Return the PSNR: of a photograph with 255 as the peak, of a stack the mean of its frames, the peak its range."""
    if result.shape != clean.shape:
        raise ValueError(f"the result is {result.shape}, the clean picture {clean.shape}")
    peak = np.ptp(clean) if job == "stack" else 255
    frames = zip(clean, result, strict=True) if job == "stack" else [(clean, result)]
    return mean(float(10 * np.log10(peak**2 / np.square(one - other).mean())) for one, other in frames)


# -- rows --------------------------------------------------------------------------------------------------------------


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a file in docs/results that are done."""
    return read(RESULTS / name)


def lines_of(path: Path) -> int:
    """Return the number of lines that hold code: neither blank, nor comment, nor the text at the top."""
    text = path.read_text()
    if path.suffix == ".sh":
        return sum(bool(line.strip()) and not line.startswith("#") for line in text.splitlines())
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in blank]
    if tokens and tokens[0].type == tokenize.STRING:
        tokens = tokens[1:]
    return len({line for token in tokens for line in range(token.start[0], token.end[0] + 1)})


def environment(python: str, package: str) -> dict[str, str]:
    """Return the environment of a program: one thread, the commands beside its Python, no modules of ours."""
    found = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" or package == "torchdenoise"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return found | threads | {"PATH": f"{Path(python).parent}{os.pathsep}{found['PATH']}"}


def versions(python: str, package: str) -> str:
    """Return the versions of a package, and of what it stands on, that a Python imports."""
    names = json.dumps(PACKAGES[package].distributions)
    code = f"from importlib.metadata import version; print(', '.join(f'{{n}} {{version(n)}}' for n in {names}))"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def run(program: Program, python: str) -> None:
    """Run a program and keep its row."""
    job, path = JOBS[program.job], PROGRAMS_FOLDER / program.file
    words = ["bash", str(path)] if path.suffix == ".sh" else [python, str(path)]
    clean, noisy = job.pixels()
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    with tempfile.TemporaryDirectory() as name:
        job.write(folder := Path(name))
        wall, cpu = time.perf_counter(), cpu_of_children()
        done = subprocess.run(
            words, cwd=folder, env=environment(python, program.package), capture_output=True, text=True, timeout=LIMIT
        )
        wall, cpu = time.perf_counter() - wall, cpu_of_children() - cpu
        if done.returncode:
            print(done.stderr[-3000:], file=sys.stderr)
            row["note"] = f"failed: {done.stderr.strip().splitlines()[-1][:200]}"
        else:
            result, row["kept"] = job.read(folder)
            row["psnr"] = f"{psnr(clean, result, program.job):.2f}"
    row |= {
        "program": program.file,
        "lines": lines_of(path),
        "noisy": f"{psnr(clean, noisy.astype(float), program.job):.2f}",
        "cpu": f"{cpu:.1f}",
        "wall": f"{wall:.1f}",
        "versions": versions(python, program.package),
        "threads": 1,
        "machine": platform.machine(),
    }
    add(RESULTS / ROWS, COLUMNS, row)


def cpu_of_children() -> float:
    """Return the seconds that processes which this one started, and which have ended, have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def install(package: str, folder: Path) -> None:
    """Install a package into an environment of its own, as pip does it unasked, and keep its row."""
    home = folder / package
    python = home / "bin" / "python"
    words = [python, "-m", "pip", "install", "--no-cache-dir", "--quiet", *PACKAGES[package].requirements]
    plain = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PIP_FIND_LINKS")}
    subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
    begin = time.perf_counter()
    subprocess.run(words, check=True, env=plain)
    minutes = (time.perf_counter() - begin) / 60
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file() and not path.is_symlink())
    row = {
        "package": package,
        "date": time.strftime("%Y-%m-%d"),
        "minutes": f"{minutes:.1f}",
        "megabytes": f"{size / 1e6:.0f}",
        "python": platform.python_version(),
        "versions": versions(str(python), package),
    }
    add(RESULTS / INSTALLATIONS, INSTALL_COLUMNS, row)


# -- the page ----------------------------------------------------------------------------------------------------------


def page(found: Sequence[Mapping[str, str]], installed: Sequence[Mapping[str, str]]) -> str:
    """Return the page."""
    lines = [
        "# Beside other packages",
        "",
        "[CAREamics](https://careamics.github.io), [deepinv](https://deepinv.org), "
        "[scikit-image](https://scikit-image.org) and torchdenoise on the same three jobs, as they install today. "
        "Printed by `python benchmarks/peers.py`; rows: `peers.csv`, `peers_install.csv`. The programs are in "
        "`benchmarks/peers/`, as short as the documentation of each package suggests, with its defaults. `Lines` "
        "counts code without blank lines and comments. `CPU s` is what the program computed from start to end, imports "
        "included, on one thread. The machine was busy with other work: caches were shared, so that CPU seconds are a "
        "little high, and seconds on the wall, in the csv, say little. One picture, one draw of the noise and, unless "
        "runs are named, one run of each: tenths of a dB decide nothing. CAREamics' programs set no seed.",
        *_installations(found, installed),
    ]
    for name, job in JOBS.items():
        mine = {one: [row for row in found if row["program"] == one.file] for one in PROGRAMS if one.job == name}
        lines += _table(job, {program: same for program, same in mine.items() if same})
    return "\n".join([*lines, "", (PROGRAMS_FOLDER / "differences.md").read_text().strip(), ""])


def _installations(found: Sequence[Mapping[str, str]], installed: Sequence[Mapping[str, str]]) -> list[str]:
    if not installed:
        return []
    scored = {row["program"]: row["wall"] for row in found if row["psnr"]}
    table = []
    for package, wanted in PACKAGES.items():
        for row in installed:
            if row["package"] == package:
                asked = " ".join(word if word != str(ROOT) else "." for word in wanted.requirements)
                programs = [one.file for one in PROGRAMS if (one.package, one.job) == (package, "photo")]
                first = next((f"{float(scored[file]) / 60:.1f}" for file in programs if file in scored), "-")
                command = f"`pip install {asked}`"
                cells = (wanted.title, command, row["minutes"], first, row["megabytes"], row["versions"])
                table.append(f"| {' | '.join(cells)} |")
    return [
        "",
        "## Installation",
        "",
        f"Into an empty environment, {installed[0]['date']}, Python {installed[0]['python']}, Linux, nothing cached; "
        "minutes on the wall, packages from a mirror near by, while other programs ran. For all three that use it, pip "
        "loads torch with CUDA, which is most of the megabytes and minutes; torch's index of CPU builds spares that.",
        "",
        "| package | command | minutes | then to the first picture | MB | versions |",
        "|---|---|---|---|---|---|",
        *table,
    ]


def _table(job: Job, found: Mapping[Program, Sequence[Mapping[str, str]]]) -> list[str]:
    if not found:
        return []
    every = [row for same in found.values() for row in same]
    kept = any(row["kept"] for row in every)
    heading = ["package", "how", "program", "lines", "PSNR", "CPU s", *(["kept in the file"] if kept else [])]
    lines = [
        "",
        f"## {job.title}",
        "",
        f"{job.asked} Noisy: {every[0]['noisy']} dB.",
        "",
        f"| {' | '.join(heading)} |",
        f"|{'---|' * len(heading)}",
    ]
    for program, same in found.items():
        cells = [PACKAGES[program.package].title, program.how, f"`{program.file}`", same[0]["lines"], *_scores(same)]
        cells += [same[0]["kept"] or "-"] if kept else []
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _scores(same: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """Return the cells PSNR and CPU s of the runs of a program."""
    scores = [float(row["psnr"]) for row in same if row["psnr"]]
    if not scores:
        return textwrap.shorten(same[0]["note"], 80), "-"
    spread = f" ({len(scores)} runs: {min(scores):.2f} to {max(scores):.2f})" if len(scores) > 1 else ""
    return f"{mean(scores):.2f}{spread}", f"{mean(float(row['cpu']) for row in same if row['psnr']):.1f}"


# -- the command -------------------------------------------------------------------------------------------------------


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("install", "run", "page"))
    options.add_argument("folder", nargs="?", type=Path, help="of the environments")
    options.add_argument("--packages", nargs="+", choices=PACKAGES, default=list(PACKAGES))
    options.add_argument("--programs", nargs="+", default=[""], help="the first letters of their names (default: all)")
    options.add_argument("--runs", type=int, default=1, help="of each program (default: %(default)s)")
    options.add_argument("--python", nargs="+", default=[], metavar="PACKAGE=PYTHON", help="interpreters elsewhere")
    found = options.parse_args(words)
    if found.what == "install" and found.folder is None:
        options.error("install needs the folder of the environments")
    return found


def pythons(folder: Path | None, given: Sequence[str]) -> dict[str, str]:
    """Return the interpreter of each package that has one."""
    found = {name: str(folder.absolute() / name / "bin" / "python") for name in PACKAGES} if folder is not None else {}
    found |= dict(word.split("=", 1) for word in given)
    return {name: python for name, python in found.items() if Path(python).exists()}


def main() -> None:
    """Do what has no row, and write the page."""
    options = arguments(sys.argv[1:])
    if options.what == "install":
        installed = {row["package"] for row in rows(INSTALLATIONS)}
        for package in options.packages:
            if package not in installed:
                install(package, options.folder)
    if options.what == "run":
        found = pythons(options.folder, options.python)
        for package in sorted(set(options.packages) - set(found)):
            print(f"no rows of {package}: no Python has it", file=sys.stderr)
        chosen = [one for one in PROGRAMS if one.package in set(options.packages) & set(found)]
        done = [row["program"] for row in rows(ROWS)]
        for program in chosen:
            if program.file.startswith(tuple(options.programs)):
                for _ in range(options.runs - done.count(program.file)):
                    run(program, found[program.package])
    if rows(ROWS):
        text = page(rows(ROWS), rows(INSTALLATIONS))
        (RESULTS / "peers.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
