"""Overhead of the framework: denoise() against a plain torch loop.

    python benchmarks/frame_cost.py            writes docs/results/frame.md; some minutes on two idle cores

Run it on an idle machine.
"""

import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import lightning
import torch
from torch.nn.functional import mse_loss

from torchdenoise.denoisers.networks import SmallCNN
from torchdenoise.denoisers.parts.downsamplers import cells
from torchdenoise.fitting import denoise

STEPS = 300
ROUNDS = 3


def plain(noisy: torch.Tensor) -> torch.Tensor:
    """Return the result of a plain training loop with the same kernels."""
    torch.manual_seed(0)
    network = SmallCNN(3)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1000, 0.5)

    def halves(image: torch.Tensor) -> torch.Tensor:
        top_left, top_right, bottom_left, bottom_right = cells(image)
        return torch.cat([(top_right + bottom_left) / 2, (top_left + bottom_right) / 2])

    first_second = halves(noisy)
    second_first = first_second.flip(0)
    for _ in range(STEPS):
        optimizer.zero_grad()
        denoised = network(first_second)
        loss = mse_loss(denoised, second_first) + mse_loss(denoised, halves(network(noisy)))
        loss.backward()
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        return network(noisy).clamp(0, 1)


def through_package(noisy: torch.Tensor) -> torch.Tensor:
    """Return the same computed by the package."""
    return denoise(noisy, "zsn2n", max_steps=STEPS, device="cpu", data_range=1.0)


def seconds(work: Callable[[], object]) -> float:
    """Return the duration of a call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def fits(size: int) -> str:
    """Return the table row of one image size; the two sides alternate."""
    noisy = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    difference = (plain(noisy) - through_package(noisy)).abs().max().item()  # also the warm-up
    pairs = [(seconds(lambda: through_package(noisy)), seconds(lambda: plain(noisy))) for _ in range(ROUNDS)]
    ours, theirs = (median(side) for side in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    return f"| {size}x{size} | {theirs:.2f} | {ours:.2f} | {ratio:.3f} | {difference:.0e} |"


def main() -> None:
    """Measure and write the page."""
    machine = f"{torch.get_num_threads()} CPU threads ({platform.processor() or platform.machine()})"
    lines = [
        "# Overhead of the framework",
        "",
        f"{machine}, torch {torch.__version__}, lightning {lightning.__version__}, Python "
        f"{platform.python_version()}, idle machine; printed by "
        "`python benchmarks/frame_cost.py`. A plain torch loop and `denoise()` alternate in one process, float32, "
        f"the same kernels, recipe `zsn2n`, seed 0; medians of {ROUNDS} rounds, also of the ratio.",
        "",
        f"| image | plain loop, {STEPS} steps, s | `denoise()`, s | ratio | largest difference of the results |",
        "|---|---|---|---|---|",
        *(fits(size) for size in (64, 256)),
        "",
    ]
    path = Path(__file__).parent.parent / "docs" / "results" / "frame.md"
    path.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
