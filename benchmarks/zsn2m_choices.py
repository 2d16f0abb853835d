"""What the ZS-N2M paper leaves open: writes docs/results/zsn2m_choices.md.

    TORCHDENOISE_DATA=DIR python benchmarks/zsn2m_choices.py [PART ... | page]

Six centre crops of the training images of BSDS500. Parts: short, MBD-Net by a short recipe, one factor at a time; full,
the best two at full length; second, GRD-Net on crops; long, GRD-Net on whole, small pictures (second_network.py). About
an hour and a half on two cores, and another for ``long``. The rows are kept in docs/results/studies/zsn2m_choices.
"""

from dataclasses import dataclass, field

import second_network
from studies import BF16, CLIPPED, RESULTS, Part, average, run_parts, setting, training_images

BASE = "as the recipe"


@dataclass(frozen=True)
class Study:
    """A recipe, and variants that differ from it in one thing."""

    title: str
    text: str
    recipe: str
    common: tuple[str, ...]
    changes: dict[str, tuple[str, ...]]
    others: dict[str, str] = field(default_factory=dict)
    """Other recipes, with the common overrides."""

    def part(self, name: str) -> Part:
        """Return the comparison of all variants."""
        variants = {label: (recipe, self.common) for label, recipe in self.others.items()}
        variants[BASE] = (self.recipe, self.common)
        variants |= {label: (self.recipe, (*self.common, *changes)) for label, changes in self.changes.items()}
        return Part(f"studies/zsn2m_choices/{name}", variants, training_images(), (CLIPPED,))


SHORT = Study(
    "MBD-Net, a short recipe",
    "600 steps of three 48x48 crops, float32. The recipe: C 0.01, a mask per channel, fresh masks, residual, gradient "
    "through the map, Adam 1e-3;",
    "zsn2m-star",
    ("data.crop=48", "data.crops=3", "trainer.max_steps=600"),
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
    "zsn2m-star",
    (BF16,),
    {"Adam 3e-3": ("model.optimizer.lr=0.003",), "one fixed mask": ("model.loss.downsampler.masks=1",)},
)
SECOND = Study(
    "GRD-Net, a short recipe",
    "600 steps of three 48x48 crops for MBD-Net (for its own result see the first table), then 600 of two 64x64 crops "
    "for GRD-Net, float32. The recipe: predicts the image, Muon 5e-3;",
    "zsn2m",
    (
        "model.share=0.5",
        'model.loss={"class_path":"OnCrops","init_args":{"size":48,"count":3,"loss":{"class_path":"ZSN2MLoss"}}}',
        "model.refiner_scheduler.total_iters=600",
        "trainer.max_steps=1200",
    ),
    {
        "predicts the noise": ("model.refiner.residual=true",),
        "Muon 2e-3": ("model.refiner_optimizer.lr=0.002",),
        "Adam 1e-3": (
            "model.refiner_optimizer=Adam",
            "model.refiner_optimizer.lr=0.001",
            "model.refiner_optimizer.betas=[0.9,0.99]",
        ),
        "eight turns": ("model.readout=EightTurns",),
        "150 steps": ("model.share=0.8", "model.refiner_scheduler.total_iters=150", "trainer.max_steps=750"),
        "1800 steps": ("model.share=0.25", "model.refiner_scheduler.total_iters=1800", "trainer.max_steps=2400"),
    },
)
STUDIES = {"short": SHORT, "full": FULL, "second": SECOND}


def section(name: str, study: Study) -> list[str]:
    """Return a study's table of complete variants, best first; nothing until the recipe itself is complete."""
    part = study.part(name)
    found = {label: part.rows(label) for label in part.variants}
    table = {label: rows for label, rows in found.items() if len(rows) == len(part.images)}
    if BASE not in table:
        return []
    recipe = average(table[BASE])
    return [
        f"## {study.title}",
        "",
        f"{study.text} {setting([row for rows in table.values() for row in rows])}.",
        "",
        "| choice | mean PSNR | SSIM | against the recipe |",
        "|---|---|---|---|",
        *(
            f"| {label} | {average(each):.2f} | {average(each, 'ssim'):.3f} | {average(each) - recipe:+.2f} |"
            for label, each in sorted(table.items(), key=lambda item: -average(item[1]))
        ),
        "",
    ]


def write_page() -> None:
    """Write the page from the rows."""
    lines = [
        "# What the ZS-N2M paper leaves open",
        "",
        f"Six 256x256 centre crops of BSDS500's training images (every 67th by name), `{CLIPPED}`, one factor changed "
        "at a time; never on Kodak24 or Set14. Printed by `python benchmarks/zsn2m_choices.py`; rows: "
        "`studies/zsn2m_choices`.",
        "",
    ]
    lines += [line for name, study in STUDIES.items() for line in section(name, study)]
    lines += second_network.section()
    (RESULTS / "zsn2m_choices.md").write_text("\n".join(lines))


def main() -> None:
    """Run the named parts, or all, and write the page after each."""
    parts = {name: study.part(name).run for name, study in STUDIES.items()}
    run_parts({**parts, "long": second_network.run}, write_page)


if __name__ == "__main__":
    main()
