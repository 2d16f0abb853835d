"""ZS-N2N's depth against the weight of its consistency term: writes docs/results/sensitivity.csv row by row, and .md.

    TORCHDENOISE_DATA=DIR python benchmarks/sensitivity.py [PART ...]

The study of Saha, Muhammad, Chakraborty & Tejwani's report, 2000 steps on two pictures and 500 on four. Parts:
gaussian-500, poisson-500, gaussian-2000, poisson-2000; without one all, in this order: hours on two cores. A command
that is killed goes on where it stopped.
"""

from collections.abc import Callable
from itertools import pairwise, product

from rows import HALF, RESULTS, Job, Row, asked, average, four_images, run, setting

DEPTHS = (2, 3, 4)
RATIOS = ("0.5", "1", "2", "10", "inf")
NOISES = ("gaussian:25:clip", "poisson:25")
PARTS = {
    "gaussian-500": (NOISES[0], 500),
    "poisson-500": (NOISES[1], 500),
    "gaussian-2000": (NOISES[0], 2000),
    "poisson-2000": (NOISES[1], 2000),
}
PICTURES = {500: four_images, 2000: lambda: [four_images()[0], four_images()[2]]}


Means = dict[tuple[int, str], float]
Cells = dict[tuple[str, int, int, str], list[Row]]
FINDINGS: dict[str, Callable[[Means], bool]] = {
    "depth 2 is the worst at every ratio": lambda f: all(
        f[2, ratio] < min(f[3, ratio], f[4, ratio]) for ratio in RATIOS
    ),
    "depth 2 falls as the consistency term grows": lambda f: all(
        f[2, less] < f[2, more] for less, more in pairwise(RATIOS)
    ),
    "depth 3 is the best from a ratio of 1 on": lambda f: all(
        f[3, ratio] > max(f[2, ratio], f[4, ratio]) for ratio in RATIOS[1:]
    ),
    "depth 4 falls as the consistency term shrinks": lambda f: all(
        f[4, less] > f[4, more] for less, more in pairwise(RATIOS)
    ),
    "without consistency depth 4 is below 2 and 3": lambda f: f[4, "inf"] < min(f[2, "inf"], f[3, "inf"]),
}
"""What the report reads off its graph."""


def overrides(depth: int, ratio: str) -> tuple[str, ...]:
    """Return what a cell of the table changes in the recipe; ``inf`` is the residual term alone."""
    weights = ("1", "0") if ratio == "inf" else (ratio, "1")
    residual, consistency = weights
    return (
        *HALF,
        f"model.network.depth={depth}",
        f"model.loss.residual_weight={residual}",
        f"model.loss.consistency_weight={consistency}",
    )


def jobs(noise: str, steps: int, depth: int, ratio: str) -> list[Job]:
    """Return the jobs of one cell."""
    return [Job(image, "zsn2n", noise, overrides(depth, ratio), steps) for image in PICTURES[steps]()]


def averages(cells: Cells, noise: str, steps: int, names: set[str]) -> Means:
    """Return the mean over some pictures of each cell that has them all."""
    means = {}
    for depth, ratio in product(DEPTHS, RATIOS):
        rows = [row for row in cells[noise, steps, depth, ratio] if row["image"] in names]
        if len(rows) == len(names):
            means[depth, ratio] = average(rows)
    return means


def page(cells: Cells) -> str:
    """Return what there is as Markdown."""
    lines = [
        "# Depth and consistency of ZS-N2N",
        "",
        "The sensitivity study of the report (Saha, Muhammad, Chakraborty & Tejwani), which shows a graph of ten "
        "pictures of its own: number of convolutions against the ratio of the residual and the consistency term's "
        "weights (inf: no consistency term). Mean PSNR of 256x256 centre crops: kodim05, 08, 19, 23 at 500 steps, "
        f"kodim05 and 19 at 2000. bf16-mixed, {setting([row for rows in cells.values() for row in rows])}. "
        "Printed by `python benchmarks/sensitivity.py`; the rows: `sensitivity.csv`.",
    ]
    complete: dict[str, Means] = {}
    two = {path.stem for path in PICTURES[2000]()}
    for noise, steps in product(NOISES, PICTURES):
        means = averages(cells, noise, steps, {path.stem for path in PICTURES[steps]()})
        if len(means) == len(DEPTHS) * len(RATIOS):
            complete[f"`{noise}`, {steps} steps"] = means
            if steps != 2000:
                complete[f"`{noise}`, {steps} steps, the two of 2000"] = averages(cells, noise, steps, two)
        head = f"## `{noise}`, {steps} steps, {len(PICTURES[steps]())} pictures"
        lines += ["", head, "", f"| depth | {' | '.join(RATIOS)} |", "|---|" + "---|" * len(RATIOS)]
        for depth in DEPTHS:
            figures = [f"{means[depth, ratio]:.2f}" if (depth, ratio) in means else "-" for ratio in RATIOS]
            lines.append(f"| {depth} | {' | '.join(figures)} |")
    lines += ["", "## What the report reads off its graph", "", f"| | {' | '.join(complete)} |"]
    lines += ["|---|" + "---|" * len(complete)]
    for finding, holds in FINDINGS.items():
        lines.append(f"| {finding} | {' | '.join('yes' if holds(means) else 'no' for means in complete.values())} |")
    lines += [
        "",
        "So its ordering of depths 3 and 4 is that of its own 2000 steps, and not there yet after 500: what a deeper "
        "network memorises of the noise where the consistency term is weak, it memorises late.",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Run what is missing, and write the page after each table."""
    for name in asked(list(PARTS)):
        noise, steps = PARTS[name]
        run(
            [job for depth, ratio in product(DEPTHS, RATIOS) for job in jobs(noise, steps, depth, ratio)],
            RESULTS / "sensitivity.csv",
        )
        cells = {
            cell: run(jobs(*cell), RESULTS / "sensitivity.csv", only_done=True)
            for cell in product(NOISES, PICTURES, DEPTHS, RATIOS)
        }
        (RESULTS / "sensitivity.md").write_text(page(cells))


if __name__ == "__main__":
    main()
