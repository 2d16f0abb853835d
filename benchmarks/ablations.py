"""What each part of ZS-N2M and ZS-N2N contributes: writes docs/results/ablations.md.

    TORCHDENOISE_DATA=DIR python benchmarks/ablations.py [all | page]

Four Kodak24 crops, every variant cut to the same number of steps; about half an hour on two cores. The rows are kept in
docs/results/studies/ablations.
"""

from pictures import example, side_by_side
from studies import BF16, CLIPPED, FOUR, RESULTS, Part, average, kodak24, run_parts, setting

from torchdenoise.data import Picture
from torchdenoise.fitting import denoise
from torchdenoise.noise import repeatable

PICTURE = "equality.png"
STEPS = 500
MASKS = "model.loss.downsampler=RandomMaskDownsampler"
DIAGONAL = "model.loss.downsampler=DiagonalDownsampler"

VARIANTS = {
    "ZS-N2N": ("zsn2n", ()),
    "+ masks (ZS-N2N's loss on masked pairs)": ("zsn2n", (MASKS,)),
    "without masks (full loss, the diagonal pair)": ("zsn2m-star", (DIAGONAL,)),
    "without interactive denoising": ("zsn2m-star", ("model.loss.denoising_weight=0",)),
    "ZS-N2M*": ("zsn2m-star", ()),
    **{f"alpha_ie {weight}": ("zsn2m-star", (f"model.loss.equality_weight={weight}",)) for weight in (0.1, 1, 10, 100)},
    "direct prediction": ("zsn2n", ("model.network.residual=false",)),
    "without symmetry": ("zsn2n", ("model.loss.symmetric=false",)),
    "without consistency": ("zsn2n", ("model.loss.consistency_weight=0",)),
}
PAPER = dict(zip(VARIANTS, (28.27, 28.57, 28.65, 29.20, 29.39), strict=False))
"""The paper's Table 4, for all 24 crops."""
TABLES = {
    "ZS-N2M's parts (the paper's Table 4)": list(PAPER),
    "The weight of interactive equality (the paper's Figure 7)": [name for name in VARIANTS if "alpha" in name],
    "ZS-N2N's parts": ["ZS-N2N", "direct prediction", "without symmetry", "without consistency"],
}


def part() -> Part:
    """Return the comparison of all variants."""
    variants = {
        name: (recipe, (BF16, *overrides, f"trainer.max_steps={STEPS}"))
        for name, (recipe, overrides) in VARIANTS.items()
    }
    return Part("studies/ablations", variants, kodak24(FOUR), (CLIPPED,))


def write_page() -> None:
    """Write the page from the rows."""
    lines = [
        "# Ablations",
        "",
        f"Mean of the 256x256 centre crops of kodim05, 08, 19 and 23, `{CLIPPED}`, {STEPS} steps on the whole crop "
        f"(the recipes take 2000), bf16-mixed, {setting(part().rows())}. The paper's figures are for all 24 crops at "
        "full length: compare differences. Printed by `python benchmarks/ablations.py`; rows: `studies/ablations`.",
    ]
    for title, names in TABLES.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| variant | PSNR | against the first | SSIM | paper |",
            "|---|---|---|---|---|",
        ]
        first = average(part().rows(names[0]))
        for name in names:
            rows = part().rows(name)
            paper = PAPER[name] if names[-1] in PAPER else "-"
            figures = f"{average(rows):.2f} | {average(rows) - first:+.2f} | {average(rows, 'ssim'):.3f}"
            lines.append(f"| {name} | {figures} | {paper} |")
    shown = f"alpha_ie on a photograph of scikit-image (public domain), the same noise and {STEPS} steps:"
    lines += ["", shown, "", f"![noisy, alpha_ie 0.1, 1, 10, 100, clean]({PICTURE})", ""]
    (RESULTS / "ablations.md").write_text("\n".join(lines))


def write_picture() -> None:
    """Show the effect of the weight of interactive equality on an image that may be published."""
    clean = Picture.from_array(example()).image
    noisy = repeatable(CLIPPED, clean)
    images = {"noisy": noisy}
    for name, (recipe, overrides) in VARIANTS.items():
        if "alpha" in name:
            images[name] = denoise(noisy, recipe, max_steps=STEPS, overrides=(BF16, *overrides), data_range=1.0)
    side_by_side({**images, "clean": clean}, RESULTS / PICTURE)


def main() -> None:
    """Run what is missing, and write the page and the picture."""
    run_parts({"all": part().run}, write_page)
    if not (RESULTS / PICTURE).exists():
        write_picture()


if __name__ == "__main__":
    main()
