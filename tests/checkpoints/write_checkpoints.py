"""Write the checkpoints that ``test_old_checkpoints.py`` loads.

    python tests/checkpoints/write_checkpoints.py FOLDER

The files beside this script were written by commit 8d53397, before checkpoints held a format number and public class
paths. Do not write them again with newer code: they are there to show that old files still load.
"""

import os
import sys
from pathlib import Path

import imagecodecs
import numpy as np

from torchdenoise.cli import main

SMALL = ["--model.network.width", "4"]
FITS = {
    "zsn2n": SMALL,
    "fast": [
        *SMALL, "--model.network.depth", "3", "--model.loss.size", "12", "--model.loss.count", "1",
        "--model.readout.similar", "4", "--model.readout.window", "5", "--trainer.precision", "32-true",
    ],
    "noise2fast": [*SMALL, "--model.network.depth", "3", "--model.readout.count", "2"],
}  # fmt: skip


def noisy_picture() -> np.ndarray:
    """Return the grey 8-bit picture ``(24, 24)`` that all are fitted to."""
    ramp = np.linspace(60, 190, 24)
    return np.clip(ramp + 20 * np.random.default_rng(0).normal(size=(24, 24)), 0, 255).round().astype(np.uint8)


def write(folder: Path) -> None:
    """Fit each recipe for a few steps, and keep its last checkpoint as ``RECIPE.ckpt``."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    Path("noisy.png").write_bytes(imagecodecs.png_encode(noisy_picture()))
    for number, (recipe, options) in enumerate(FITS.items()):
        words = ["fit", "--config", recipe, "--data.path", "noisy.png", *options, "--trainer.max_steps", "4"]
        if main([*words, "--trainer.accelerator", "cpu"]):
            sys.exit(f"{recipe}: the fit failed")
        Path("runs", f"version_{number}", "checkpoints", "last.ckpt").rename(f"{recipe}.ckpt")
        if main(["denoise", "noisy.png", "--ckpt", f"{recipe}.ckpt", "-o", f"{recipe}.png", "--device", "cpu"]):
            sys.exit(f"{recipe}: the checkpoint does not denoise")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
