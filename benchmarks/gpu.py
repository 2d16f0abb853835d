"""What a GPU needs for a picture: alone and together, with and without graphs. Writes docs/results/gpu.md.

    python benchmarks/gpu.py                                              about ten minutes on a GPU; rows one by one
    python benchmarks/gpu.py --device cpu --side 32 --max-steps 4 --pictures 2 --rows tiny.csv       tries the script
    python benchmarks/gpu.py page                                         the page from the rows alone

A row that is there is not written again. Nothing is read but the package. Rows: docs/results/gpu.csv.
"""

import argparse
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from csv_rows import add, read
from pictures import SIDE, example
from torch import Tensor

from torchdenoise.fitting import Options, fit_images, unwrap
from torchdenoise.fitting.step_graphs import CAPTURES
from torchdenoise.metrics import psnr
from torchdenoise.recipes import load_recipe

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
PAGE, ROWS = RESULTS / "gpu.md", RESULTS / "gpu.csv"
LEVEL = 25
ALONE = ("pretrained-fast", "instant", "fast", "best", "zsn2n", "zsn2m-star", "neighbor2neighbor-single")
TOGETHER = ("fast", "zsn2n")
GOALS = {("zsn2n", False): 1.5, ("zsn2n", True): 0.4, ("fast", False): 0.5, ("fast", True): 0.15}
"""Seconds a picture, by recipe and whether pictures are fitted together."""
COLUMNS = (
    *("recipe", "pictures", "side", "graphs", "seconds", "psnr", "difference", "peak_mb"),
    *("device", "torch", "lightning"),
)
PAGE_WORD = "page"
WORDS = ("no", "yes")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", nargs="?", choices=[PAGE_WORD], help="write the page, measure nothing")
    options.add_argument("--device", default="cuda", help="(default: cuda)")
    options.add_argument("--side", type=int, default=SIDE, help="of a picture, in pixels (default: %(default)s)")
    options.add_argument("--pictures", type=int, default=24, help="fitted together (default: %(default)s)")
    options.add_argument("--max-steps", type=int, help="of each fit (default: the recipe's)")
    options.add_argument("--rows", type=Path, default=ROWS, help="file for the rows (default: docs/results/gpu.csv)")
    return options


def scenes(number: int, side: int) -> tuple[Tensor, Tensor]:
    """Return clean and noisy pictures ``(N, 3, side, side)`` in 0..1: flips and turns of a photograph, other noise."""
    clean = torch.from_numpy(example()[:side, :side].copy()).permute(2, 0, 1) / 255
    turned = [torch.rot90(clean.flip(-1) if turn % 8 > 3 else clean, turn % 4, (-2, -1)) for turn in range(number)]
    stacked = torch.stack(turned).float()
    noise = LEVEL / 255 * torch.randn(stacked.shape, generator=torch.Generator().manual_seed(0))
    return stacked, (stacked + noise).clamp(0, 1)


def fits(plan: Mapping[str, Any]) -> bool:
    """Return whether a recipe fits something to the picture."""
    return "max_steps" in plan["trainer"]


def measurements(options: argparse.Namespace) -> Iterator[tuple[str, int, list[bool]]]:
    """Yield recipes, numbers of pictures, and whether to use graphs: without and, where there are any, with."""
    both = [False, True] if torch.device(options.device).type in CAPTURES else [False]
    for recipe in ALONE:
        yield recipe, 1, both if fits(load_recipe(recipe)) else [False]
    for recipe in TOGETHER:
        yield recipe, options.pictures, both


def measure(options: argparse.Namespace) -> None:
    """Measure what is missing, and store each row."""
    machine = {"device": device_name(options.device), "torch": torch.__version__, "lightning": lightning.__version__}
    here = [row for row in read(options.rows) if machine.items() <= row.items()]
    done = {(row["recipe"], row["pictures"], row["side"], row["graphs"]) for row in here}
    for recipe, number, ways in measurements(options):
        missing = [graphs for graphs in ways if (recipe, str(number), str(options.side), WORDS[graphs]) not in done]
        if not missing:
            continue
        usual = None
        for graphs in ways:
            row, result = timed(recipe, number, graphs, options)
            usual = result if usual is None else usual
            row["difference"] = f"{255 * (result - usual).abs().max().item():.3f}"
            if graphs in missing:
                add(options.rows, COLUMNS, row | machine)


def timed(recipe: str, number: int, graphs: bool, options: argparse.Namespace) -> tuple[dict[str, Any], Tensor]:
    """Return a row of the second of two runs, for imports and kernels are loaded in the first, and its results."""
    clean, noisy = scenes(number, options.side)
    images, plan = list(torch.split(noisy, 1)), load_recipe(recipe)
    on_gpu = torch.device(options.device).type == "cuda"
    wanted = Options(max_steps=options.max_steps, device=options.device, graphs=graphs)
    few = Options(max_steps=5, device=options.device, graphs=graphs) if fits(plan) else wanted
    fit_images(images, plan, few)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    result = torch.cat([unwrap(each) for each in fit_images(images, plan, wanted)])
    seconds = (time.perf_counter() - begin) / number
    row = {
        "recipe": recipe,
        "pictures": number,
        "side": options.side,
        "graphs": WORDS[graphs],
        "seconds": f"{seconds:.3f}",
        "psnr": f"{psnr(result, clean).mean().item():.2f}",
        "peak_mb": round(torch.cuda.max_memory_allocated() / 1e6) if on_gpu else "",
    }
    return row, result


def device_name(device: str) -> str:
    """Return what a device is."""
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else platform.machine()


def page(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the page."""
    text = [
        "# On a GPU",
        "",
        f"Flips and turns of a photograph with Gaussian noise of level {LEVEL}, clipped; each recipe's own steps. "
        "Seconds are those of a picture, imports and first calls not counted, readout included. *Graphs*: the steps "
        "are recorded and replayed (`denoise --graphs`). *Difference*: from the results without graphs, the largest, "
        "in grey levels of 255. Printed by `python benchmarks/gpu.py`.",
        "",
    ]
    if not rows:
        text += ["Not run: no GPU was at hand since graphs exist. The script runs on a CPU at tiny sizes."]
    for device in dict.fromkeys((row["device"], row["torch"], row["lightning"], row["side"]) for row in rows):
        mine = [row for row in rows if (row["device"], row["torch"], row["lightning"], row["side"]) == device]
        name, torch_version, lightning_version, side = device
        text += [f"{name}, {side}x{side}, torch {torch_version}, lightning {lightning_version}:", ""]
        text += ["| recipe | pictures together | graphs | s | goal | PSNR | difference | MB at most |"]
        text += ["|---|---|---|---|---|---|---|---|"]
        for row in mine:
            goal = GOALS.get((row["recipe"], row["pictures"] != "1"), "-")
            measured = (row["psnr"], row["difference"], row["peak_mb"] or "-")
            cells = (f"`{row['recipe']}`", row["pictures"], row["graphs"], row["seconds"], str(goal), *measured)
            text.append(f"| {' | '.join(cells)} |")
        text.append("")
    return "\n".join(text).rstrip() + "\n"


def main() -> None:
    """Measure, and write the page from all rows."""
    options = parser().parse_args()
    if options.what != PAGE_WORD:
        measure(options)
    if options.rows == ROWS:
        PAGE.write_text(page(read(ROWS)))


if __name__ == "__main__":
    main()
