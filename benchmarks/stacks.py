"""Stacks: a network for each frame or one for all, similar patches beside a frame; writes docs/results/stacks.md.

    python benchmarks/stacks.py [--stacks hyperstack fluorescence correlated] [--methods instant ...] [--draws 1]
    python benchmarks/stacks.py --careamics PYTHON [--epochs 30]      Noise2Void by CAREamics, by that Python
    python benchmarks/stacks.py page                                   prints the page from the rows alone

The stacks are made here. What has a row in docs/results/stacks.csv is not done again: delete the rows of a method whose
code has changed. CAREamics is no dependency: PYTHON is the interpreter of an environment that has it.
"""

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from numpy.typing import NDArray

from torchdenoise import denoise
from torchdenoise.data import ArrayPlanes, Axes, Frames

RESULTS = Path(__file__).parent.parent / "docs" / "results"
COLUMNS = ("stack", "method", "draw", "psnr", "cpu", "wall", "note", "threads", "machine", "torch")
DRAWS = 1
EPOCHS = 30
CAREAMICS = "CAREamics N2V"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "each": {},
    "each, channels together": {"channels": "together"},
    "each, channels apart": {"channels": "apart"},
    "shared": {"fit": "shared"},
    "each, neighbours 1": {"neighbours": 1},
    "shared, neighbours 1": {"fit": "shared", "neighbours": 1},
    "shared, neighbours 2": {"fit": "shared", "neighbours": 2},
    "shared, twice the steps": {"fit": "shared", "steps": 2},
    "shared, four times the steps": {"fit": "shared", "steps": 4},
}
STEPS = {"instant": 100, "fast": 300}

Array = NDArray[np.float64]
Method = Callable[[NDArray[Any], str, int], tuple[NDArray[Any], str]]
"""Denoises a stack with axes, from a seed; the second result is a note."""


# -- the stacks --------------------------------------------------------------------------------------------------------


def blurred(images: Array, sigma: float) -> Array:
    """Return images ``(..., H, W)`` convolved with a Gaussian."""
    side = 2 * int(4 * sigma) + 1
    flat = torch.from_numpy(images).reshape(-1, 1, *images.shape[-2:])
    result: Array = gaussian_blur2d(flat, (side, side), (sigma, sigma)).reshape(images.shape).numpy()
    return result


def fluorescence(frames: int, side: int, random: np.random.Generator, still: bool = False) -> Array:
    """Return a series ``(T, 2, H, W)`` in 0..1: nuclei, and filaments with spots, both moving unless ``still``."""
    rows, columns = np.mgrid[:side, :side].astype(float)
    images = np.zeros((frames, 2, side, side))
    number = max(3, side * side // 5500)
    texture = blurred(random.normal(size=(side, side)), 2.0)
    texture = 1 + 0.25 * texture / texture.std()
    for _ in range(number):
        centre, speed = random.uniform(0, side, 2), random.normal(0, 1.5, 2) * (not still)
        radii, angle, light = random.uniform(6, 13, 2), random.uniform(0, np.pi), random.uniform(0.35, 0.8)
        for frame in range(frames):
            down, right = rows - centre[0] - frame * speed[0], columns - centre[1] - frame * speed[1]
            along = (down * np.cos(angle) + right * np.sin(angle)) / radii[0]
            across = (right * np.cos(angle) - down * np.sin(angle)) / radii[1]
            images[frame, 0] += light * texture * (along**2 + across**2 < 1)
    for _ in range(2 * number):
        turns = np.cumsum(random.normal(0, 0.06, 2 * side)) + random.uniform(0, 2 * np.pi)
        path = random.uniform(0, side, 2) + np.cumsum(np.stack([np.sin(turns), np.cos(turns)], 1), 0)
        speed, light = random.normal(0, 1.0, 2) * (not still), random.uniform(0.4, 1.0)
        for frame in range(frames):
            place = np.rint(path + frame * speed).astype(int)
            inside = place[((place >= 0) & (place < side)).all(1)]
            images[frame, 1, inside[:, 0], inside[:, 1]] = light
    for _ in range(4 * number):
        place, speed = random.uniform(0, side, 2), random.normal(0, 1.0, 2) * (not still)
        for frame in range(frames):
            row, column = np.rint(place + frame * speed).astype(int) % side
            images[frame, 1, row, column] += 2
    seen = blurred(images, 1.2)
    return np.clip(seen / np.quantile(seen, 0.998, axis=(0, 2, 3), keepdims=True), 0, 1)


def hyperstack(draw: int) -> tuple[Array, NDArray[Any], str]:
    """Return six frames of 48 x 48 pixels of one scene that does not move, as counted photons: few pixels to fit to."""
    scene = fluorescence(1, 48, np.random.default_rng(5), still=True)[0].mean(0)
    clean = np.stack([100 + 200 * scene / scene.max()] * 6)
    return clean, np.random.default_rng(100 + draw).poisson(clean).astype(np.uint16), "TYX"


def moving(draw: int) -> tuple[Array, NDArray[Any], str]:
    """Return 5 frames of 2 channels of 256 x 256 pixels: up to 60 photons, a gain of 4, an offset, and read noise."""
    photons = 4 + 56 * fluorescence(5, 256, np.random.default_rng(7))
    random = np.random.default_rng(200 + draw)
    noisy = 100 + 4 * random.poisson(photons) + random.normal(0, 6, photons.shape)
    return 100 + 4 * photons, np.rint(noisy).clip(0, 65535).astype(np.uint16), "TCYX"


def correlated(draw: int) -> tuple[Array, NDArray[Any], str]:
    """Return 5 moving frames of 128 x 128 pixels whose noise is blurred, as after interpolation or in a scan."""
    clean = 1000 + 8000 * fluorescence(5, 128, np.random.default_rng(9))[:, 0]
    noise = blurred(np.random.default_rng(300 + draw).normal(size=clean.shape), 1.0)
    return clean, np.rint(clean + 700 * noise / noise.std()).clip(0, 65535).astype(np.uint16), "TYX"


def dyes(draw: int) -> tuple[Array, NDArray[Any], str]:
    """Return 2 frames of 2 dyes, one 50 times brighter: up to 3000 and 60 photons, an offset, and read noise."""
    light = np.array([3000.0, 60.0])[:, None, None] * fluorescence(2, 160, np.random.default_rng(11))
    random = np.random.default_rng(400 + draw)
    noisy = 100 + random.poisson(20 + light) + random.normal(0, 3, light.shape)
    return 120 + light, np.rint(noisy).clip(0, 65535).astype(np.uint16), "TCYX"


STACKS: Mapping[str, Callable[[int], tuple[Array, NDArray[Any], str]]] = {
    "hyperstack": hyperstack,
    "fluorescence": moving,
    "correlated": correlated,
    "dyes": dyes,
}


def psnr(clean: Array, result: NDArray[Any], axes: str) -> float:
    """Return the mean PSNR of all planes; the peak is the range of a channel in the clean stack."""
    found = []
    for channel in Frames.apart(ArrayPlanes(clean, Axes(axes))):
        truth = np.stack([channel[number] for number in range(len(channel))])
        (numbers,) = zip(*channel.groups, strict=True)
        planes = ArrayPlanes(result.astype(float), Axes(axes))
        errors = [np.square(planes.plane(at) - one).mean() for at, one in zip(numbers, truth, strict=True)]
        found += [10 * np.log10(np.ptp(truth) ** 2 / error) for error in errors]
    return mean(found)


def frames_of(noisy: NDArray[Any], axes: str) -> int:
    """Return the number of frames of all channels together."""
    return len(Frames.together(ArrayPlanes(noisy, Axes(axes))))


# -- the methods -------------------------------------------------------------------------------------------------------


def ours(recipe: str, variant: Mapping[str, Any]) -> Method:
    """Return the function that denoises a stack."""
    options = dict(variant)
    crop = options.pop("crop", None)
    factor = options.pop("steps", 1)
    if factor > 1:
        options["max_steps"] = factor * STEPS[recipe]

    def run(noisy: NDArray[Any], axes: str, seed: int) -> tuple[NDArray[Any], str]:
        overrides = [f"data.crop={min(crop, *noisy.shape[-2:])}"] if crop else []
        always = {"axes": axes, "device": "cpu", "dtype": "float32", "seed": seed}
        result = denoise(noisy, recipe, overrides=overrides, **always, **options)
        return result, ""

    return run


def by_careamics(python: str, epochs: int) -> Method:
    """Return the function that denoises a stack by CAREamics in another environment."""

    def run(noisy: NDArray[Any], axes: str, seed: int) -> tuple[NDArray[Any], str]:
        worker = Path(__file__).with_name("stacks_careamics.py")
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder, "noisy.npy"), noisy)
            environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
            words = [python, str(worker), folder, axes, str(epochs), str(seed)]
            subprocess.run(words, check=True, env=environment, cwd=folder)
            note = json.loads(Path(folder, "note.json").read_text())
            return np.load(Path(folder, "result.npy")), note["versions"]

    return run


def methods(python: str | None, epochs: int) -> dict[str, Method]:
    """Return the function of each method by its name."""
    found = {f"{recipe}, {name}": ours(recipe, variant) for recipe in STEPS for name, variant in VARIANTS.items()}
    found["n2v-single, shared"] = ours("n2v-single", {"fit": "shared", "crop": 64})
    found["n2v-single, shared, 500 of 3000 steps"] = ours("n2v-single", {"fit": "shared", "crop": 64, "max_steps": 500})
    if python is not None:
        found[f"{CAREAMICS}, {epochs} epochs"] = by_careamics(python, epochs)
    return found


# -- the rows ----------------------------------------------------------------------------------------------------------


def rows() -> list[dict[str, str]]:
    """Return the rows that are done."""
    path = RESULTS / "stacks.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(row: Mapping[str, object]) -> None:
    """Add a row."""
    path = RESULTS / "stacks.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    print({key: row[key] for key in COLUMNS[:7]}, flush=True)


def cpu_seconds() -> float:
    """Return the seconds that this process and those it started have computed."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(stack: str, method: str, draw: int, run: Method) -> None:
    """Denoise a stack and keep its row."""
    clean, noisy, axes = STACKS[stack](draw)
    wall, cpu = time.perf_counter(), cpu_seconds()
    result, note = run(noisy, axes, draw)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    frames = frames_of(noisy, axes)
    keep(
        {
            "stack": stack,
            "method": method,
            "draw": draw,
            "psnr": f"{psnr(clean, result, axes):.3f}",
            "cpu": f"{cpu / frames:.2f}",
            "wall": f"{wall / frames:.2f}",
            "note": note,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
            "torch": torch.__version__,
        }
    )


# -- the page ----------------------------------------------------------------------------------------------------------


def page(found: Sequence[Mapping[str, str]]) -> str:
    """Return the page."""
    first = found[0]
    lines = [
        "# Stacks",
        "",
        "Made stacks (`benchmarks/stacks.py`), CPU, "
        f"{first['threads']} thread, {first['machine']}, torch {first['torch']}. PSNR is the mean of all planes, with "
        "the range of a channel in the clean stack as the peak; ± is the deviation between draws: of the noise, and of "
        "the seed of the fit, which both count from 0. `CPU s`: seconds of computing a frame, all channels, the fit "
        "included, mean of the draws. Other work ran on the machine (contended): caches were shared, and the time on "
        "the wall, in the csv, says little. CAREamics trains for its default number of epochs, its start included. "
        "Printed by `python benchmarks/stacks.py`; rows: `stacks.csv`.",
    ]
    for stack, make in STACKS.items():
        here = [row for row in found if row["stack"] == stack]
        if here:
            clean, noisy, axes = make(0)
            doc = (make.__doc__ or "").partition("\n")[0].removeprefix("Return ").rstrip(".")
            shape = " x ".join(map(str, noisy.shape))
            lines += [
                "",
                f"## {stack}: {axes}, {shape}",
                "",
                f"{doc[0].upper()}{doc[1:]}. Noisy: {psnr(clean, noisy, axes):.2f} dB.",
                "",
                "| method | draws | PSNR | CPU s a frame | |",
                "|---|---|---|---|---|",
                *(_line(name, [row for row in here if row["method"] == name]) for name in _names(here)),
            ]
    return "\n".join([*lines, ""])


def _names(found: Sequence[Mapping[str, str]]) -> list[str]:
    done = {row["method"]: None for row in found}
    order = {name: number for number, name in enumerate(methods(None, 0))}
    return sorted(done, key=lambda name: order.get(name, len(order)))


def _line(name: str, found: Sequence[Mapping[str, str]]) -> str:
    scores = [float(row["psnr"]) for row in found]
    spread = f" ± {stdev(scores):.2f}" if len(scores) > 1 else ""
    cpu = mean(float(row["cpu"]) for row in found)
    return f"| {name} | {len(found)} | {mean(scores):.2f}{spread} | {cpu:.1f} | {found[0]['note']} |"


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", nargs="?", choices=("all", "page"), default="all")
    options.add_argument("--stacks", nargs="+", choices=STACKS, default=list(STACKS))
    options.add_argument("--methods", nargs="+", default=[""], help="the first letters of their names (default: all)")
    options.add_argument("--draws", type=int, default=DRAWS, help="of the noise (default: %(default)s)")
    options.add_argument("--careamics", metavar="PYTHON", help="of an environment with CAREamics")
    options.add_argument("--epochs", type=int, default=EPOCHS, help="of CAREamics (default: %(default)s, its own)")
    return options.parse_args(words)


def main() -> None:
    """Measure what has no row, and write the page."""
    options = arguments(sys.argv[1:])
    torch.set_num_threads(1)
    chosen = methods(options.careamics, options.epochs)
    if options.careamics is None and options.what == "all":
        print("no row of CAREamics: give --careamics PYTHON of an environment with `pip install careamics`")
    chosen = {name: run for name, run in chosen.items() if name.startswith(tuple(options.methods))}
    done = {(row["stack"], row["method"], row["draw"]) for row in rows()}
    if options.what == "all":
        for draw in range(options.draws):
            for stack in options.stacks:
                for name, run in chosen.items():
                    if (stack, name, str(draw)) not in done:
                        measure(stack, name, draw, run)
    if rows():
        text = page(rows())
        (RESULTS / "stacks.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
