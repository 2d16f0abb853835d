"""Noise estimates on images with known noise, and how often they raise a warning: writes noise.md.

    TORCHDENOISE_DATA=DIR python benchmarks/noise_estimates.py        a few minutes, on one core

Training images of BSDS500, on which the thresholds were chosen, with synthetic noise; SIDD, PolyU and FMD with their
camera noise.
"""

import platform
from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from statistics import mean, quantiles

import torch
from rich.progress import track
from studies import RESULTS, centre_crop, data_folder, noisy_images
from torch import Tensor
from torch.nn.functional import conv2d

from torchdenoise.data import read_picture
from torchdenoise.denoisers import Stabilized
from torchdenoise.noise import gaussian_level, noise_level_function, poisson_photons, repeatable, wavelet_level
from torchdenoise.noise.assumptions import broken_assumptions

EVERY = 4
GAUSSIAN = (2, 5, 10, 25, 50, 75)
PHOTONS = (5, 10, 25, 50, 100)
PEDESTALS = (0.0, 0.02, 0.05, 0.1)
MIXED = ((10, 50), (25, 25))
PHOTON_HEAD = "| noise | `noise_level_function` | taken for Gaussian | `poisson_photons` | warned |"
BLURS = (0.3, 0.4, 0.5, 0.7, 1.0)


def clean_crops() -> list[Tensor]:
    """Return 256x256 centre crops of every fourth training image."""
    paths = sorted((data_folder() / "bsds400" / "train").iterdir())[::EVERY]
    return [centre_crop(read_picture(path).image) for path in paths]


def real_crops(name: str) -> list[Tensor]:
    """Return the centre crops of the noisy images of a data set."""
    return [centre_crop(read_picture(path).image) for path in noisy_images(name)]


def with_correlated_noise(clean: Tensor, level: float, blur: float, seed: int) -> Tensor:
    """Return an image with noise of this level that was blurred by a Gaussian of ``blur`` pixels."""
    places = torch.arange(-4, 5).float()
    line = torch.exp(-(places**2) / (2 * blur**2))
    kernel = torch.outer(line, line)
    kernel /= kernel.square().sum().sqrt()  # keeps the level
    height, width = clean.shape[-2:]
    white = torch.randn(clean.shape[1], 1, height + 8, width + 8, generator=torch.Generator().manual_seed(seed))
    return clean + level / 255 * conv2d(white, kernel[None, None]).transpose(0, 1)


def spread(values: list[float], digits: int = 1) -> str:
    """Return the mean, and the 5th and 95th percentile."""
    parts = quantiles(values, n=20)
    return f"{mean(values):.{digits}f} ({parts[0]:.{digits}f} to {parts[-1]:.{digits}f})"


def warned(noisy: list[Tensor]) -> str:
    """Return the share of images that break an assumption, checked as in the default recipe."""
    pairs = ((image, Stabilized().transforms(image)[0](image)) for image in noisy)
    return f"{mean(bool(broken_assumptions(*pair)) for pair in pairs):.0%}"


def gaussian_rows(clean: list[Tensor], clips: tuple[str, ...] = ("", ":clip")) -> Iterator[str]:
    """Yield a row for each level, unclipped and clipped."""
    for level in GAUSSIAN:
        for clip in clips:
            noisy = [repeatable(f"gaussian:{level}{clip}", image) for image in clean]
            lines = [noise_level_function(image) for image in noisy]
            found = spread([255 * line.sigma for line in lines if not line.gain])
            others = " | ".join(spread([f(image) for image in noisy]) for f in (gaussian_level, wavelet_level))
            gains = f"{mean(line.gain > 0 for line in lines):.0%}"
            yield f"| `gaussian:{level}{clip}` | {found} | {gains} | {others} | {warned(noisy)} |"


def poisson_rows(clean: list[Tensor]) -> Iterator[str]:
    """Yield a row for each number of photons."""
    for photons in PHOTONS:
        noisy = [repeatable(f"poisson:{photons}", image) for image in clean]
        gains = [line.gain for line in map(noise_level_function, noisy)]
        found = spread([1 / gain for gain in gains if gain])
        missed = f"{mean(not gain for gain in gains):.0%}"
        alone = spread([poisson_photons(image) for image in noisy])
        yield f"| `poisson:{photons}` | {found} | {missed} | {alone} | {warned(noisy)} |"


def mixed_rows(clean: list[Tensor]) -> Iterator[str]:
    """Yield a row for each mixture: the standard deviation at the image's mean, relative to the true one."""
    for level, photons in MIXED:
        ratios = []
        noisy = [repeatable(f"gaussian:{level}+poisson:{photons}", image) for image in clean]
        for image, plain in zip(noisy, clean, strict=True):
            line, light = noise_level_function(image), plain.mean().item()
            found = line.deviation(light)
            ratios.append(found / sqrt(light / photons + (level / 255) ** 2))
        yield f"| `gaussian:{level}+poisson:{photons}` | {spread(ratios, 2)} | {warned(noisy)} |"


def pedestal_rows(clean: list[Tensor]) -> Iterator[str]:
    """Yield a row for each pedestal: the standard deviation at the mean, relative to the true one, and the estimate."""
    for offset in PEDESTALS:
        noisy = [offset + (1 - offset) * repeatable("poisson:50", image) for image in clean]
        lines, lights = [noise_level_function(image) for image in noisy], [plain.mean().item() for plain in clean]
        means = [offset + (1 - offset) * light for light in lights]
        true = [(1 - offset) * sqrt(light / 50) for light in lights]
        ratios = [line.deviation(mean) / each for line, mean, each in zip(lines, means, true, strict=True)]
        yield f"| {offset:g} | {spread(ratios, 2)} | {spread([line.offset for line in lines], 3)} |"


def correlated_rows(clean: list[Tensor]) -> Iterator[str]:
    """Yield a row for each blur and level."""
    for blur in BLURS:
        shares = [
            warned([with_correlated_noise(image, level, blur, seed) for seed, image in enumerate(clean)])
            for level in (10, 25, 50)
        ]
        yield f"| {blur:g} | {' | '.join(shares)} |"


def page() -> str:
    """Return all tables as Markdown."""
    clean = clean_crops()
    grey = [image.mean(1, keepdim=True) for image in clean]
    lines = [
        "# Noise estimates",
        "",
        f"{len(clean)} 256x256 centre crops of BSDS500's training images, every fourth by name, on which the "
        f"thresholds were chosen; seed 0, {platform.machine()}, torch {torch.__version__}. Mean, and in brackets the "
        "5th and 95th percentile. Printed by `python benchmarks/noise_estimates.py`.",
        "",
        "## Gaussian noise",
        "",
        "The default recipe uses `noise_level_function`. Taken for Poisson: the share of images in which it finds "
        "noise that grows with the signal; they are left out of its column. Warned: the share in which "
        "`broken_assumptions` reports something, although only clipping is present.",
        "",
        "| noise | `noise_level_function` | taken for Poisson | `gaussian_level` | `wavelet_level` | warned |",
        "|---|---|---|---|---|---|",
        *track(gaussian_rows(clean), total=2 * len(GAUSSIAN), description="Gaussian"),
        "",
        "## Poisson noise, in photons",
        "",
        PHOTON_HEAD,
        "|---|---|---|---|---|",
        *track(poisson_rows(clean), total=len(PHOTONS), description="Poisson"),
        "",
        "## Both",
        "",
        "Standard deviation by `noise_level_function` at the image's mean, divided by the true one.",
        "",
        "| noise | estimate / truth | warned |",
        "|---|---|---|",
        *track(mixed_rows(clean), total=len(MIXED), description="mixed"),
        "",
        "## Grey images",
        "",
        "The same images in grey: every warning is caused by texture.",
        "",
        "| noise | `noise_level_function` | taken for Poisson | `gaussian_level` | `wavelet_level` | warned |",
        "|---|---|---|---|---|---|",
        *track(gaussian_rows(grey, ("",)), total=len(GAUSSIAN), description="grey"),
        "",
        PHOTON_HEAD,
        "|---|---|---|---|---|",
        *track(poisson_rows(grey), total=len(PHOTONS), description="grey, Poisson"),
        "",
        "## A pedestal",
        "",
        "`poisson:50` on a detector with this output without light; in grey. Where a line through black fits as well, "
        "no pedestal is reported.",
        "",
        "| pedestal | standard deviation at the mean / truth | estimated pedestal |",
        "|---|---|---|",
        *track(pedestal_rows(grey), total=len(PEDESTALS), description="pedestal"),
        "",
        "## Correlated noise",
        "",
        "Gaussian noise, blurred by this many pixels at a constant level: the share of images with a warning.",
        "",
        "| blur | level 10 | 25 | 50 |",
        "|---|---|---|---|",
        *track(correlated_rows(clean), total=len(BLURS), description="correlated"),
        "",
        "## Camera noise",
        "",
        "These images were also used to choose the threshold for the unevenness of the spectrum.",
        "",
        "| set | images | warned |",
        "|---|---|---|",
    ]
    for name in ("sidd", "polyu", "fmd"):
        noisy = real_crops(name)
        lines.append(f"| {name.upper()} | {len(noisy)} | {warned(noisy)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the page."""
    path: Path = RESULTS / "noise.md"
    path.write_text(page())
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
