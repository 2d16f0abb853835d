"""Why Neighbor2Neighbor scores lower: trained networks on halves and on whole crops; writes docs/results/scales.md.

    TORCHDENOISE_DATA=DIR TORCHDENOISE_RUNS=DIR python benchmarks/scales.py

Needs the checkpoints of ``trained.py n2c-light n2n-light neighbor2neighbor-light``, and trains one more, an hour on two
cores: Noise2Clean on clean halves, the best that a loss on halves could reach if it had the clean image.
"""

import platform
from pathlib import Path
from statistics import mean

import torch
from PIL import Image
from rich.progress import track
from studies import RESULTS, centre_crop, data_folder, kodak24
from torch import Generator, Tensor
from training import runs_folder, trained

from torchdenoise import metrics
from torchdenoise.data import read_picture
from torchdenoise.denoisers import Denoiser, NeighborDownsampler
from torchdenoise.noise import repeatable

NETWORKS = ("n2c-light", "n2n-light", "neighbor2neighbor-light")
ON_HALVES = "n2c-halves"
DRAWS = 4
LEVEL = 25
EDGE = 20


def clean_halves() -> Path:
    """Return a folder of clean halves of the training images: both halves of four draws of the sampler."""
    folder = runs_folder() / "bsds400-halves"
    folder.mkdir(parents=True, exist_ok=True)
    sampler, generator = NeighborDownsampler(), Generator().manual_seed(0)
    for path in track(sorted((data_folder() / "bsds400" / "train").iterdir()), "Halving"):
        image = read_picture(path).image
        for number in range(DRAWS):
            for side, half in enumerate(sampler.pair(image, sampler.draw(image, generator))):
                pixels = half[0].permute(1, 2, 0).mul(255).round().byte().numpy()
                Image.fromarray(pixels).save(folder / f"{path.stem}-{number}-{side}.png")
    return folder


def trained_on_halves() -> Path:
    """Return the checkpoint of Noise2Clean on clean halves, with the same steps and crops as the others."""
    if not (runs_folder() / ON_HALVES / "final.ckpt").exists():
        words = ("--config", "n2c-light", "--data.repeats", "5", "--trainer.precision", "bf16-mixed")
        trained(ON_HALVES, *words, images=clean_halves())
    return runs_folder() / ON_HALVES / "final.ckpt"


def halves_and_whole(network: Denoiser, clean: list[Tensor]) -> tuple[float, float]:
    """Return PSNR on one half of each crop, as Neighbor2Neighbor's sampler draws it, and on the whole."""
    sampler = NeighborDownsampler()
    scores: list[tuple[float, float]] = []
    for image in clean:
        noisy = repeatable(f"gaussian:{LEVEL}", image)
        draws = sampler.draw(noisy, Generator().manual_seed(0))
        pairs = ((sampler.pair(noisy, draws)[0], sampler.pair(image, draws)[0]), (noisy, image))
        half, whole = (metrics.psnr(network(seen).clamp(0, 1), true).item() for seen, true in pairs)
        scores.append((half, whole))
    return mean(half for half, _ in scores), mean(whole for _, whole in scores)


def remaining_noise(network: Denoiser) -> float:
    """Return the standard deviation of the noise that remains on plain grey, on the 0-255 scale."""
    noise = torch.randn(1, 3, 256, 256, generator=Generator().manual_seed(0))
    denoised = network(0.5 + LEVEL / 255 * noise)
    return 255 * denoised[..., EDGE:-EDGE, EDGE:-EDGE].std().item()


def main() -> None:
    """Train what is missing, and write the page."""
    (RESULTS / "scales.md").write_text(page(trained_on_halves()))


@torch.no_grad()
def page(on_halves: Path) -> str:
    """Return the page."""
    clean = [centre_crop(read_picture(path).image) for path in kodak24()]
    lines = [
        "# Halves and wholes",
        "",
        f"The networks of [trained](trained.md), one pass over all {len(clean)} Kodak24 256x256 centre crops at "
        f"`gaussian:{LEVEL}`, and over one half of each as Neighbor2Neighbor's sampler draws it (seed 0), scored "
        "against the clean half; and the noise that remains on plain grey, on the 0-255 scale. "
        f"CPU threads: {torch.get_num_threads()} ({platform.machine()}), torch {torch.__version__}. "
        "Printed by `python benchmarks/scales.py`.",
        "",
        "| network | PSNR on halves | PSNR on wholes | noise left on grey |",
        "|---|---|---|---|",
    ]
    checkpoints = {name: runs_folder() / name / "final.ckpt" for name in NETWORKS} | {ON_HALVES: on_halves}
    wholes = {}
    for name, checkpoint in checkpoints.items():
        network = Denoiser.load(checkpoint)
        half, wholes[name] = halves_and_whole(network, clean)
        lines.append(f"| `{name}` | {half:.2f} | {wholes[name]:.2f} | {remaining_noise(network):.1f} |")
    behind, noisy, halves = (wholes[NETWORKS[0]] - wholes[name] for name in (NETWORKS[2], NETWORKS[1], ON_HALVES))
    lines += [
        "",
        f"`{ON_HALVES}` is Noise2Clean trained only on clean halves with noise added, with the same crops and steps. "
        f"Neighbor2Neighbor loses {behind:.2f} dB on wholes: {halves:.2f} because the neighbouring pixels of halves "
        f"differ more than those of whole images, {noisy:.2f} because targets are noisy, as for Noise2Noise, and "
        f"{behind - halves - noisy:.2f} because the two halves of a pair show slightly different scenes: the network "
        "keeps noise that looks like this difference.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
