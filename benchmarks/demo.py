"""What ``make demo`` runs: a picture denoised as the command line does it, and shown beside the noisy one.

    python benchmarks/demo.py [IMAGE]

Without IMAGE, a photograph with synthetic noise, scored against the original. Results replace those of an earlier run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pictures import example, side_by_side

# What takes seconds to import is imported below, once the words on the command line have turned out to make sense.
from torchdenoise.cli import reported
from torchdenoise.commands import denoise
from torchdenoise.commands.arguments import Parser
from torchdenoise.paths import check_input, default_output, read_errors, write_errors

FOLDER = Path("demo")
SHEET = FOLDER / "side_by_side.png"
NOISE = "gaussian:25:clip"


def main(words: Sequence[str]) -> int:
    """Run the demo and return its exit code, by the rules of ``torchdenoise``."""
    return reported(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    options = Parser("benchmarks/demo.py", "Denoise a picture into demo/.", "  make demo\n  make demo IMAGE=my.png")
    options.add_argument("image", nargs="?", type=Path, help="your own noisy picture (PNG, TIFF, JPEG)")
    image = options.parse_args(words).image
    if image is not None:
        with read_errors(image):
            check_input(image)
    with write_errors(FOLDER):
        FOLDER.mkdir(exist_ok=True)
    if image is None:
        _example(FOLDER / "noisy.png", FOLDER / "denoised.png")
    else:
        _own(image, FOLDER / default_output(image).name)
    print(f"side by side: {SHEET}")
    return 0


def _example(source: Path, target: Path) -> None:
    from torchdenoise import from_spec, metrics
    from torchdenoise.data import Picture, read_picture, write_picture
    from torchdenoise.noise import repeatable

    picture = Picture.from_array(example())
    clean = picture.image
    write_picture(source, repeatable(from_spec(NOISE), clean), like=picture, overwrite=True)
    _denoise(source, target)
    captions = {}
    for name, image in {"noisy": read_picture(source).image, "denoised": read_picture(target).image}.items():
        psnr, ssim = metrics.psnr(image, clean).item(), metrics.ssim(image, clean).item()
        print(f"{name:>8}: PSNR {psnr:.2f} dB, SSIM {ssim:.3f}")
        captions[f"{name}, {psnr:.1f} dB"] = image
    side_by_side({**captions, "clean": clean}, SHEET)


def _own(source: Path, target: Path) -> None:
    from torchdenoise.data import read_picture

    _denoise(source, target)
    noisy = read_picture(source)
    # Within the noisy picture's range: where a file leaves it open, it would be guessed anew from the values.
    denoised = read_picture(target, (noisy.scaling.low, noisy.scaling.high))
    side_by_side({"noisy": noisy.image, "denoised": denoised.image}, SHEET)


def _denoise(source: Path, target: Path) -> None:
    words = ["denoise", str(source), "-o", str(target), "--overwrite"]
    print("$ torchdenoise", *words, flush=True)
    denoise.run(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
