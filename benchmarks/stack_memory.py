"""The memory that a stack needs: write one of a given size, denoise it in a process of its own, print the peak.

python benchmarks/stack_memory.py --megabytes 2000 --frame 2048 --recipe tv
python benchmarks/stack_memory.py --megabytes 2000 --strength 0        reading and writing alone
python benchmarks/stack_memory.py --megabytes 2000 --strength 0 --zarr 8        a Zarr with chunks of 8 x 256 x 256
python benchmarks/stack_memory.py --megabytes 40 --frame 1024 -- --recipe instant --fit shared --neighbours 1
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=int, default=2000, help="of the stack (default: %(default)s)")
    options.add_argument("--frame", type=int, default=2048, help="side of a frame in pixels (default: %(default)s)")
    options.add_argument("--recipe", default="tv", help="default: %(default)s")
    options.add_argument("--strength", default="1", help="default: %(default)s")
    options.add_argument("--zarr", type=int, metavar="DEPTH", help="a Zarr with chunks of so many frames, not a TIFF")
    options.add_argument("more", nargs="*", help="further options of `torchdenoise denoise`, after --")
    options.add_argument("--folder", type=Path, help="for the files (default: a temporary one)")
    return options


def save_zarr(path: Path, images: Iterator[NDArray[np.uint16]], shape: tuple[int, int, int], depth: int) -> None:
    """Write frames as a Zarr, chunk by chunk."""
    import zarr

    chunks = (min(depth, shape[0]), min(256, shape[1]), min(256, shape[2]))
    array = zarr.create_array(path, shape=shape, chunks=chunks, dtype="uint16", dimension_names=["t", "y", "x"])
    for first in range(0, shape[0], depth):
        array[first : first + depth] = np.stack(list(itertools.islice(images, depth)))


def bytes_of(path: Path) -> int:
    """Return the size of a file, or of the files in a folder."""
    return sum(each.stat().st_size for each in [path, *path.rglob("*")] if each.is_file())


def main() -> None:
    """Print size, seconds and peak memory."""
    options = parser().parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "stack.tif" if options.zarr is None else "stack.zarr")
        frames = max(2, options.megabytes * 10**6 // (2 * options.frame**2))
        random = np.random.default_rng(0)
        one = random.poisson(100 + 50 * np.sin(np.arange(options.frame) / 40), (options.frame, options.frame))
        images = (np.roll(one, 17 * number, 1).astype(np.uint16) for number in range(frames))
        shape = (frames, options.frame, options.frame)
        if options.zarr is None:
            tifffile.imwrite(path, images, shape=shape, dtype="uint16", photometric="minisblack", bigtiff=True)
        else:
            save_zarr(path, images, shape, options.zarr)
        size = bytes_of(path)
        words = ["denoise", str(path), "--recipe", options.recipe, "--strength", options.strength, "--device", "cpu"]
        words += options.more
        start = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "torchdenoise", *words])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        same = bytes_of(path.with_stem("stack_denoised")) / size
    print(f"{frames} frames of {options.frame} x {options.frame}, {size / 1e6:.0f} MB; exit {status}")
    print(f"{seconds:.0f} s, peak {usage.ru_maxrss / 1e3:.0f} MB; the result has {same:.2f} times the size")


if __name__ == "__main__":
    main()
