"""The figures beside some limits of the noise measurement: writes docs/results/limits.md.

    TORCHDENOISE_DATA=DIR python benchmarks/limits.py        a few minutes, on one core

Training images of BSDS500 with made noise, the odd scenes of SIDD and pictures of PolyU, drawn pictures and made stacks
of two dyes.
"""

import platform
from collections.abc import Iterator, Sequence
from statistics import median

import torch
from choices import drawn
from noise_kinds import KINDS
from rich.progress import track
from studies import RESULTS, centre_crop, data_folder, noisy_images
from torch import Generator, Tensor

from torchdenoise.data import read_picture
from torchdenoise.fitting import Options
from torchdenoise.fitting.choosing import (
    LEAST_CORRELATED_REMOVED,
    MOST_REMOVED,
    removed_share,
    trained_model,
    trial_crops,
)
from torchdenoise.fitting.choosing import STRONG as STRONG_NOISE
from torchdenoise.fitting.frames import MAX_MISMATCH
from torchdenoise.noise import ImagesNoise, blocks, from_spec, measure_noise, repeatable, row_column_noise
from torchdenoise.noise.channels import level_mismatch
from torchdenoise.noise.measuring import MAX_SPREAD
from torchdenoise.noise.texture import CHANCE, luminance_kept

EVERY = 17
OFFSETS = ((5, 3), (5, 12), (15, 6), (15, 12), (25, 12), (40, 25))
"""Levels of white noise and of the offsets of columns, on the 0-255 scale."""
STRONG = ("gaussian:50", "poisson:30", "poisson:10")
SEEDS = range(6)
DYES = (1, 2, 5, 10, 50)
SIDE = 192
HEAD = "| pictures | n | median | lowest | highest | beyond the limit |"


def clean_crops() -> list[Tensor]:
    """Return 256x256 centre crops of training images."""
    paths = sorted((data_folder() / "bsds400" / "train").glob("*.jpg"))[::EVERY]
    return [centre_crop(read_picture(path).image) for path in paths]


def odd_scenes() -> list[Tensor]:
    """Return the centre crops of the odd scenes of SIDD."""
    paths = [path for path in noisy_images("sidd") if int(path.stem.split("_")[0]) % 2]
    return [centre_crop(read_picture(path).image) for path in paths]


def heading(title: str, text: str) -> list[str]:
    """Return the lines above the figures of a table."""
    return ["", f"## {title}", "", text, "", HEAD, "|---|---|---|---|---|---|"]


def line(name: str, values: Sequence[float], beyond: float) -> str:
    """Return a line of a table; ``beyond`` is the share beyond the limit."""
    figures = " | ".join(f"{value:.2f}" for value in (median(values), min(values), max(values)))
    return f"| {name} | {len(values)} | {figures} | {100 * beyond:.0f} % |"


def share(values: Sequence[bool]) -> float:
    """Return the share that is true."""
    return sum(values) / len(values)


def offsets(crops: Sequence[Tensor]) -> Iterator[str]:
    """Yield the table about the offsets of rows and columns."""
    yield from (
        "## Offsets of columns, or strokes of type",
        "",
        "Found: the share of pictures in which columns count as offset; small type has no offsets.",
        "",
        "| pictures | n | found |",
        "|---|---|---|",
    )
    for white, level in OFFSETS:
        found = []
        for seed, clean in enumerate(crops):
            generator = Generator().manual_seed(seed)
            noise = white / 255 * torch.randn(clean.shape, generator=generator)
            columns = level / 255 * torch.randn(1, 1, 1, clean.shape[-1], generator=generator)
            found.append(row_column_noise(clean + noise + columns).columns > 0)
        yield f"| photographs, white noise of {white}, offsets of {level} | {len(found)} | {100 * share(found):.0f} % |"
    page = read_picture(drawn()[0]).image
    for spec in STRONG:
        found = [row_column_noise(repeatable(from_spec(spec), page, seed)).columns > 0 for seed in SEEDS]
        yield f"| small type, `{spec}` | {len(found)} | {100 * share(found):.0f} % |"


def texture(crops: Sequence[Tensor]) -> Iterator[str]:
    """Yield the table about texture in the covariance."""
    yield from heading(
        "Texture in the covariance",
        f"Part of the luminance that may be noise, at the low frequency where it is least; below {CHANCE:g}, the rest "
        "is taken out.",
    )

    def least(images: Sequence[Tensor]) -> list[float]:
        found = [blocks.flat_covariance(image) for image in images]
        return [luminance_kept(covariance).min().item() for covariance in found if covariance is not None]

    sets = {
        **{
            f"photographs, {kind}": [make(clean, Generator().manual_seed(seed))[0] for seed, clean in enumerate(crops)]
            for kind, make in KINDS.items()
            if kind != "row pattern"
        },
        "SIDD, odd scenes": odd_scenes(),
        "PolyU, odd pictures": [centre_crop(read_picture(path).image) for path in noisy_images("polyu")[::2]],
    }
    for name, images in sets.items():
        found = least(images)
        yield line(name, found, share([value < CHANCE for value in found]))


def dyes() -> Iterator[str]:
    """Yield the table about channels of unequal noise."""
    yield from heading(
        "Dyes of unequal brightness",
        f"Ratio of the noise level in both channels to that of one alone, or its inverse; above {MAX_MISMATCH:g}, "
        "channels are denoised alone. Made cells, shot noise, a pedestal of 100 and read noise of 3 counts.",
    )
    for ratio in DYES:
        found = []
        for seed in SEEDS:
            generator = Generator().manual_seed(seed)
            coarse = torch.rand(1, 2, SIDE // 16, SIDE // 16, generator=generator)
            cells = torch.nn.functional.interpolate(coarse, scale_factor=16, mode="bicubic").clamp(min=0) ** 3
            photons = 20 + 1000 * cells / torch.tensor([1.0, ratio]).view(1, 2, 1, 1)
            counts = 100 + torch.poisson(photons, generator=generator)
            counts += 3 * torch.randn(counts.shape, generator=generator)
            noisy = counts / 4095
            found.append(level_mismatch(noisy, measure_noise(noisy)))
        yield line(f"dyes 1:{ratio}", found, share([value > MAX_MISMATCH for value in found]))


def lines() -> Iterator[str]:
    """Yield the table about the levels of correlated noise."""
    yield from heading(
        "Lines of drawings, or correlated noise",
        f"Ratio of the largest and the smallest level that flat blocks give; above {MAX_SPREAD:g}, where white noise "
        "or clipping may explain it, they are lines.",
    )

    def spread(images: Sequence[Tensor]) -> list[float]:
        found = [blocks.correlated_noise(image) for image in images]
        pairs = [each.curve.deviation.aminmax() for each in found if each is not None]
        return [(high / low).item() for low, high in pairs]

    plot = read_picture(drawn()[2]).image
    sets = {
        "SIDD, odd scenes": odd_scenes(),
        "plot, levels 5 to 20": [repeatable(from_spec(f"gaussian:{5 * (n + 1)}"), plot, n) for n in range(4)],
    }
    for name, images in sets.items():
        found = spread(images)
        yield line(name, found, share([value > MAX_SPREAD for value in found]))


def removed() -> Iterator[str]:
    """Yield the table about correlated noise that the trained network removes."""
    yield from heading(
        "Correlated noise that the trained network removes",
        f"Energy of what it removes as a share of the noise's, where the level is {255 * STRONG_NOISE:g} of 255 or "
        f"more; below {LEAST_CORRELATED_REMOVED:g} or above {MOST_REMOVED:g}, `auto` takes `fast`.",
    )
    wide = [path for path in noisy_images("fmd")[::2] if path.stem.startswith("WideField")]
    sets = {
        "SIDD, odd scenes": odd_scenes(),
        "FMD, odd wide-field pictures": [centre_crop(read_picture(path).image) for path in wide],
    }
    for name, images in sets.items():
        shares = []
        for image in images:
            model, context = trained_model(image, Options(noise=ImagesNoise()))
            curve = context.profiles[0].curve
            if curve is not None and curve.deviation.max() >= STRONG_NOISE:
                with torch.no_grad():
                    shares.append(removed_share(model, list(trial_crops(context))))
        beyond = [not LEAST_CORRELATED_REMOVED <= value <= MOST_REMOVED for value in shares]
        yield line(name, shares, share(beyond))


def main() -> None:
    """Measure, and write the page."""
    crops = clean_crops()
    text = [
        "# Limits of the noise measurement",
        "",
        f"What the limits in the code were chosen by: {len(crops)} centre crops of 256x256 pixels of BSDS500's "
        "training images, the odd pictures of SIDD, PolyU and FMD, drawn pictures and made stacks. "
        f"Printed by `python benchmarks/limits.py`; seeds from 0, cpu ({platform.machine()}), torch "
        f"{torch.__version__}.",
        "",
    ]
    parts = (offsets(crops), texture(crops), dyes(), lines(), removed())
    for part in track(parts, "measuring"):
        text += part
    (RESULTS / "limits.md").write_text("\n".join([*text, ""]))
    print("\n".join(text))


if __name__ == "__main__":
    main()
