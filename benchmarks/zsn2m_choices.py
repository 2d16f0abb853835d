"""What the ZS-N2M paper leaves open, one factor at a time: writes docs/results/zsn2m_choices.csv row by row, and .md.

    TORCHDENOISE_DATA=DIR python benchmarks/zsn2m_choices.py

Six centre crops of the training pictures of BSDS500, 600 steps of three 48x48 crops: a short recipe, for choosing only.
A command that is killed goes on where it stopped. About a quarter of an hour on two cores.
"""

import os
from pathlib import Path
from statistics import mean

from rows import Job, run

STEPS = 600
SHORT = ("data.crop=48", "data.crops=3")
NOISE = "gaussian:25:clip"
RESULTS = Path(__file__).parent.parent / "docs" / "results"

CHOICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ZS-N2N, for comparison": ("zsn2n", ()),
    "as the recipe: C 0.01, a mask per channel, fresh masks, residual, gradient through the map, Adam 1e-3": (
        "zsn2m-star",
        (),
    ),
    **{
        f"C {constant}": ("zsn2m-star", (f"model.loss.constant={constant}",))
        for constant in (1e-5, 1e-4, 1e-3, 3e-3, 0.03, 0.1)
    },
    "one mask for all channels": ("zsn2m-star", ("model.loss.downsampler.per_channel=false",)),
    "one fixed mask": ("zsn2m-star", ("model.loss.downsampler.masks=1",)),
    "ten fixed masks": ("zsn2m-star", ("model.loss.downsampler.masks=10",)),
    "no mask (the diagonal pair)": ("zsn2m-star", ("model.loss.downsampler=DiagonalDownsampler",)),
    "direct prediction": ("zsn2m-star", ("model.network.residual=false",)),
    "no gradient through the map": ("zsn2m-star", ("model.loss.through_map=false",)),
    "Adam 3e-3": ("zsn2m-star", ("model.optimizer.lr=0.003",)),
    "Adam 3e-4": ("zsn2m-star", ("model.optimizer.lr=0.0003",)),
}


def main() -> None:
    """Run what is missing and write the page."""
    images = sorted((Path(os.environ["TORCHDENOISE_DATA"]) / "bsds400" / "train").glob("*.jpg"))[::67][:6]
    table = {}
    for name, (recipe, overrides) in CHOICES.items():
        jobs = [Job(image, recipe, NOISE, overrides=(*SHORT, *overrides)) for image in images]
        table[name] = run(jobs, RESULTS / "zsn2m_choices.csv", STEPS)
    (RESULTS / "zsn2m_choices.md").write_text(page(table))


def page(table: dict[str, list[dict[str, str]]]) -> str:
    """Return the results as Markdown, best first."""
    first = next(iter(table.values()))[0]
    means = {name: mean(float(row["psnr"]) for row in rows) for name, rows in table.items()}
    recipe = list(means.values())[1]
    lines = [
        "# What the ZS-N2M paper leaves open",
        "",
        f"Six 256x256 centre crops of BSDS500's training pictures (every 67th by name), `{NOISE}`, "
        f"seed {first['seed']}, {STEPS} steps of three 48x48 crops each, MBD-Net alone, one factor changed at a time. "
        f"A short recipe, to choose by; never on Kodak24 or Set14. {first['threads']} CPU threads, "
        f"torch {first['torch']}. Printed by `python benchmarks/zsn2m_choices.py`; the rows: `zsn2m_choices.csv`.",
        "",
        "| choice | mean PSNR | against the recipe |",
        "|---|---|---|",
        *(
            f"| {name} | {means[name]:.2f} | {means[name] - recipe:+.2f} |"
            for name in sorted(means, key=lambda name: -means[name])
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
