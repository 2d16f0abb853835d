"""What the ZS-N2M paper leaves open: writes docs/results/zsn2m_choices.csv row by row, and .md.

    TORCHDENOISE_DATA=DIR python benchmarks/zsn2m_choices.py

Six centre crops of the training pictures of BSDS500. MBD-Net by a short recipe, one factor at a time, and the best two
at full length; then GRD-Net. A command that is killed goes on where it stopped. About an hour and a half on two cores.
"""

from dataclasses import dataclass, field
from pathlib import Path

from rows import HALF, RESULTS, Job, Row, average, data_folder, run, setting

NOISE = "gaussian:25:clip"
TABLE = RESULTS / "zsn2m_choices.csv"


@dataclass(frozen=True)
class Study:
    """Recipes with their overrides, each changed in one thing from the one called ``recipe``."""

    title: str
    text: str
    steps: int | None
    common: tuple[str, ...]
    recipe: str
    base: str
    changes: dict[str, tuple[str, ...]]
    others: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    """Steps, where they are what is changed."""

    def jobs(self) -> dict[str, list[Job]]:
        """Return label -> a job for each picture."""
        variants = {
            **{label: (recipe, ()) for label, recipe in self.others.items()},
            self.base: (self.recipe, ()),
            **{label: (self.recipe, changes) for label, changes in self.changes.items()},
        }
        made = {}
        for label, (recipe, changes) in variants.items():
            steps = self.lengths.get(label, self.steps)
            made[label] = [Job(image, recipe, NOISE, (*self.common, *changes), steps) for image in pictures()]
        return made


SHORT = Study(
    "MBD-Net, a short recipe",
    "600 steps of three 48x48 crops, float32;",
    600,
    ("data.crop=48", "data.crops=3"),
    "zsn2m-star",
    "as the recipe: C 0.01, a mask per channel, fresh masks, residual, gradient through the map, Adam 1e-3",
    {
        **{f"C {constant}": (f"model.loss.constant={constant}",) for constant in (1e-5, 1e-4, 1e-3, 3e-3, 0.03, 0.1)},
        "one mask for all channels": ("model.loss.downsampler.per_channel=false",),
        "one fixed mask": ("model.loss.downsampler.masks=1",),
        "ten fixed masks": ("model.loss.downsampler.masks=10",),
        "no mask (the diagonal pair)": ("model.loss.downsampler=DiagonalDownsampler",),
        "direct prediction": ("model.network.residual=false",),
        "no gradient through the map": ("model.loss.through_map=false",),
        "Adam 3e-3": ("model.optimizer.lr=0.003",),
        "Adam 3e-4": ("model.optimizer.lr=0.0003",),
    },
    {"ZS-N2N, for comparison": "zsn2n"},
)
FULL = Study(
    "MBD-Net at full length, the best two of the short ones",
    "2000 steps on the whole crop, bf16-mixed;",
    None,
    HALF,
    "zsn2m-star",
    "as the recipe",
    {"Adam 3e-3": ("model.optimizer.lr=0.003",), "one fixed mask": ("model.loss.downsampler.masks=1",)},
)
SECOND = Study(
    "GRD-Net, a short recipe",
    "600 steps of three 48x48 crops for MBD-Net (for its own result see the first table), then 600 of two 64x64 crops "
    "for GRD-Net, float32;",
    1200,
    (
        "model.share=0.5",
        'model.loss={"class_path":"OnCrops","init_args":{"size":48,"count":3,"loss":{"class_path":"ZSN2MLoss"}}}',
        "model.refiner_scheduler.total_iters=600",
    ),
    "zsn2m",
    "as the recipe: predicts the image, Muon 5e-3",
    {
        "predicts the noise": ("model.refiner.residual=true",),
        "Muon 2e-3": ("model.refiner_optimizer.lr=0.002",),
        "Adam 1e-3": (
            "model.refiner_optimizer=Adam",
            "model.refiner_optimizer.lr=0.001",
            "model.refiner_optimizer.betas=[0.9,0.99]",
        ),
        "eight turns": ("model.readout=EightTurns",),
        "150 steps": ("model.share=0.8", "model.refiner_scheduler.total_iters=150"),
        "1800 steps": ("model.share=0.25", "model.refiner_scheduler.total_iters=1800"),
    },
    {},
    {"150 steps": 750, "1800 steps": 2400},
)
STUDIES = [SHORT, FULL, SECOND]


def pictures() -> list[Path]:
    """Return every 67th of the training pictures."""
    return sorted((data_folder() / "bsds400" / "train").glob("*.jpg"))[::67][:6]


def section(study: Study) -> list[str]:
    """Return the table of a study, best first, of what is complete; nothing while the recipe is not."""
    found: dict[str, list[Row]] = {label: run(jobs, TABLE, only_done=True) for label, jobs in study.jobs().items()}
    table = {label: rows for label, rows in found.items() if len(rows) == len(pictures())}
    if study.base not in table:
        return []
    recipe = average(table[study.base])
    rows = [row for each in table.values() for row in each]
    return [
        f"## {study.title}",
        "",
        f"{study.text} {setting(rows)}.",
        "",
        "| choice | mean PSNR | SSIM | against the recipe |",
        "|---|---|---|---|",
        *(
            f"| {label} | {average(each):.2f} | {average(each, 'ssim'):.3f} | {average(each) - recipe:+.2f} |"
            for label, each in sorted(table.items(), key=lambda item: -average(item[1]))
        ),
        "",
    ]


def page() -> str:
    """Return what there is as Markdown."""
    lines = [
        "# What the ZS-N2M paper leaves open",
        "",
        f"Six 256x256 centre crops of BSDS500's training pictures (every 67th by name), `{NOISE}`, one factor "
        "changed at a time; never on Kodak24 or Set14. Printed by `python benchmarks/zsn2m_choices.py`; the rows: "
        "`zsn2m_choices.csv`.",
        "",
    ]
    return "\n".join([*lines, *(line for study in STUDIES for line in section(study))])


def main() -> None:
    """Run what is missing, and write the page after each study."""
    for study in STUDIES:
        run([job for jobs in study.jobs().values() for job in jobs], TABLE)
        (RESULTS / "zsn2m_choices.md").write_text(page())


if __name__ == "__main__":
    main()
