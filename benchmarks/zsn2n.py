"""ZS-N2N's two schedules on eight Kodak24 crops: writes docs/results/zsn2n.md.

    TORCHDENOISE_DATA=DIR python benchmarks/zsn2n.py [all | page]

About an hour on two cores. The rows are kept in docs/results/studies/zsn2n.
"""

from studies import CLIPPED, EIGHT, RESULTS, Part, average, kodak24, run_parts, setting

RECIPES = ("zsn2n", "zsn2n-3000")
COLUMNS = {"psnr": 2, "ssim": 3, "seconds": 0}


def part() -> Part:
    """Return the comparison."""
    return Part("studies/zsn2n", dict(zip(RECIPES, RECIPES, strict=True)), kodak24(EIGHT), (CLIPPED,), threads=2)


def write_page() -> None:
    """Write the page from the rows."""
    rows = part().rows()
    lines = [
        "# ZS-N2N on Kodak24 crops",
        "",
        f"Centre crops 256x256, `{CLIPPED}`, output clamped, PSNR and SSIM (11x11 Gaussian window, sigma 1.5, valid "
        f"area) of each image over all channels, n = {len(EIGHT)}; {setting(rows)}. Printed by `python "
        "benchmarks/zsn2n.py`; rows: `studies/zsn2n`. The two cores also did other work during 12 of the "
        "16 fits, so the seconds are too high.",
        "",
        "| image | noisy PSNR | `zsn2n` PSNR | SSIM | s | `zsn2n-3000` PSNR | SSIM | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label, names in {**{name: (name,) for name in EIGHT}, "**mean**": EIGHT}.items():
        chosen = [row for row in rows if row["image"] in names]
        cells = [f"{average(chosen, 'noisy_psnr'):.2f}"]
        for recipe in RECIPES:
            ours = [row for row in chosen if row["recipe"] == recipe]
            cells += [f"{average(ours, column):.{digits}f}" for column, digits in COLUMNS.items()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines += [
        "",
        "Published for all 24 crops at this level, each by another paper that ran ZS-N2N as a baseline: 28.27 / .776 "
        "in ZS-N2M (AAAI 2025), Table 1, read there; 29.07 / .7924 in ZS-HPD (CVPR 2026), read in a note that quotes "
        "it, not in that paper. A figure of the ZS-N2N paper (CVPR 2023) itself for these crops was not found. "
        "The two contradict each other by 0.8 dB on nominally the same test; which of the published schedules led to "
        "which figure is not known. The eight crops here are a third of that set.",
        "",
    ]
    (RESULTS / "zsn2n.md").write_text("\n".join(lines))


def main() -> None:
    """Run what is missing, and write the page."""
    run_parts({"all": part().run}, write_page)


if __name__ == "__main__":
    main()
