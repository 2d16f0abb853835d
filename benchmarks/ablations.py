"""What each part of ZS-N2M and ZS-N2N is worth: writes docs/results/ablations.csv row by row, and ablations.md.

    TORCHDENOISE_DATA=DIR python benchmarks/ablations.py

Four Kodak24 crops, every variant cut to the same number of steps; about half an hour on two cores. A command that is
killed goes on where it stopped.
"""

from pictures import example, side_by_side
from rows import HALF, RESULTS, Job, Row, average, four_images, run, setting

from torchdenoise.data import Picture
from torchdenoise.fitting import denoise
from torchdenoise.noise import repeatable

PICTURE = "equality.png"
STEPS = 500
NOISE = "gaussian:25:clip"
MASKS = "model.loss.downsampler=RandomMaskDownsampler"
DIAGONAL = "model.loss.downsampler=DiagonalDownsampler"

Variant = tuple[str, str, tuple[str, ...], float | None]
"""Label, recipe, overrides, what the paper prints for all 24 crops."""

TABLE_4: list[Variant] = [
    ("ZS-N2N", "zsn2n", (), 28.27),
    ("+ masks (ZS-N2N's loss on masked pairs)", "zsn2n", (MASKS,), 28.57),
    ("without masks (full loss, the diagonal pair)", "zsn2m-star", (DIAGONAL,), 28.65),
    ("without interactive denoising", "zsn2m-star", ("model.loss.denoising_weight=0",), 29.20),
    ("ZS-N2M*", "zsn2m-star", (), 29.39),
]
EQUALITY: list[Variant] = [
    (f"alpha_ie {weight}", "zsn2m-star", (f"model.loss.equality_weight={weight}",), None)
    for weight in (0.1, 1, 10, 100)
]
PARTS: list[Variant] = [
    ("ZS-N2N", "zsn2n", (), None),
    ("direct prediction", "zsn2n", ("model.network.residual=false",), None),
    ("without symmetry", "zsn2n", ("model.loss.symmetric=false",), None),
    ("without consistency", "zsn2n", ("model.loss.consistency_weight=0",), None),
]
PARTS_OF = {
    "ZS-N2M's parts (the paper's Table 4)": TABLE_4,
    "The weight of interactive equality (the paper's Figure 7)": EQUALITY,
    "ZS-N2N's parts": PARTS,
}


def jobs(variant: Variant) -> list[Job]:
    """Return a job for each picture."""
    _, recipe, overrides, _ = variant
    return [Job(image, recipe, NOISE, (*HALF, *overrides), STEPS) for image in four_images()]


def page(tables: dict[str, list[tuple[Variant, list[Row]]]]) -> str:
    """Return what there is as Markdown."""
    every = [row for table in tables.values() for _, rows in table for row in rows]
    lines = [
        "# Ablations",
        "",
        f"Mean of the 256x256 centre crops of kodim05, 08, 19 and 23, `{NOISE}`, {STEPS} steps on the whole crop (the "
        f"recipes take 2000), bf16-mixed, {setting(every)}. The paper's figures are for all 24 crops at full length: "
        "compare differences. Printed by `python benchmarks/ablations.py`; the rows: `ablations.csv`.",
    ]
    for title, table in tables.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| variant | PSNR | against the first | SSIM | paper |",
            "|---|---|---|---|---|",
        ]
        first = average(table[0][1])
        for (label, _, _, paper), rows in table:
            lines.append(
                f"| {label} | {average(rows):.2f} | {average(rows) - first:+.2f} | {average(rows, 'ssim'):.3f} | "
                f"{paper or '-'} |"
            )
    shown = f"alpha_ie on a photograph of scikit-image (public domain), the same noise and {STEPS} steps:"
    return "\n".join([*lines, "", shown, "", f"![noisy, alpha_ie 0.1, 1, 10, 100, clean]({PICTURE})", ""])


def picture() -> None:
    """Show what the weight of interactive equality does, on a picture that may be shown."""
    clean = Picture.from_array(example()).image
    noisy = repeatable(NOISE, clean)
    images = {"noisy": noisy}
    for label, recipe, overrides, _ in EQUALITY:
        images[label] = denoise(noisy, recipe, max_steps=STEPS, overrides=(*HALF, *overrides), data_range=1.0)
    side_by_side({**images, "clean": clean}, RESULTS / PICTURE)


def main() -> None:
    """Run what is missing and write the page."""
    run([job for table in PARTS_OF.values() for variant in table for job in jobs(variant)], RESULTS / "ablations.csv")
    tables = {
        title: [(variant, run(jobs(variant), RESULTS / "ablations.csv", only_done=True)) for variant in table]
        for title, table in PARTS_OF.items()
    }
    (RESULTS / "ablations.md").write_text(page(tables))
    if not (RESULTS / PICTURE).exists():
        picture()


if __name__ == "__main__":
    main()
