"""The image of the README: one noisy photograph and the results of some recipes; writes docs/showcase.png.

    python benchmarks/showcase.py               a few minutes on two cores

The photograph is scikit-image's, in the public domain; noise gaussian:25:clip, seed 0.
"""

from pathlib import Path

from pictures import example, side_by_side
from rich.progress import track

from torchdenoise import denoise, metrics
from torchdenoise.data import Picture
from torchdenoise.noise import repeatable

NOISE = "gaussian:25:clip"
RECIPES = ("zsn2n-bf16", "instant", "fast", "best")
SHEET = Path(__file__).parent.parent / "docs" / "showcase.png"


def main() -> None:
    """Denoise and write the sheet."""
    clean = Picture.from_array(example()).image
    noisy = repeatable(NOISE, clean)
    images = {"noisy": noisy}
    for recipe in track(RECIPES, "Denoising"):
        images[recipe] = denoise(noisy, recipe=recipe, data_range=1.0)
    scores = {name: metrics.psnr(image.clamp(0, 1), clean).item() for name, image in images.items()}
    captioned = {f"{name}, {scores[name]:.1f} dB": image for name, image in images.items()}
    side_by_side({**captioned, "clean": clean}, SHEET)
    print(f"wrote {SHEET}: {scores}")


if __name__ == "__main__":
    main()
