"""``make demo``: denoise an image with the command line, and show it beside the noisy one.

    python benchmarks/demo.py [IMAGE]

Without IMAGE, a photograph with synthetic noise is denoised and scored. Earlier results are replaced.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pictures import example, side_by_side

# Slow imports follow below, after the command line has been checked.
from torchdenoise.cli import reported
from torchdenoise.commands import denoise
from torchdenoise.commands.arguments import Parser
from torchdenoise.paths import check_input, default_output, read_errors, write_errors

FOLDER = Path("demo")
SHEET = FOLDER / "side_by_side.png"
NOISE = "gaussian:25:clip"


def main(words: Sequence[str]) -> int:
    """Run the demo and return its exit code, as ``torchdenoise`` does."""
    return reported(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    options = Parser("benchmarks/demo.py", "Denoise an image into demo/.", "  make demo\n  make demo IMAGE=my.png")
    options.add_argument("image", nargs="?", type=Path, help="noisy image (PNG, TIFF, JPEG)")
    image = options.parse_args(words).image
    if image is not None:
        with read_errors(image):
            check_input(image)
    with write_errors(FOLDER):
        FOLDER.mkdir(exist_ok=True)
    if image is None:
        _example(FOLDER / "noisy.png", FOLDER / "denoised.png")
    else:
        _user_image(image, FOLDER / default_output(image).name)
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


def _user_image(source: Path, target: Path) -> None:
    from torchdenoise.data import read_picture

    _denoise(source, target)
    noisy = read_picture(source)
    # The noisy image's range: a file without a range would otherwise get one from its values.
    denoised = read_picture(target, (noisy.scaling.low, noisy.scaling.high))
    side_by_side({"noisy": noisy.image, "denoised": denoised.image}, SHEET)


def _denoise(source: Path, target: Path) -> None:
    words = ["denoise", str(source), "-o", str(target), "--overwrite"]
    print("$ torchdenoise", *words, flush=True)
    denoise.run(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
