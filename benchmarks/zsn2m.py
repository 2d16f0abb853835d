"""ZS-N2M beside ZS-N2N and the paper's tables: writes docs/results/zsn2m.md.

    TORCHDENOISE_DATA=DIR python benchmarks/zsn2m.py [PART ... | page]

Parts: precision, kodak24, two-stages, poisson:25, gaussian:5-50, poisson:5-50, set14, sidd, polyu, fmd; all by default,
in this order: hours on two cores. The rows are kept in docs/results/studies/zsn2m.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from studies import (
    BF16,
    CLIPPED,
    FOUR,
    RESULTS,
    Part,
    average,
    kodak24,
    noisy_images,
    real_part,
    run_parts,
    set14,
    setting,
)

from torchdenoise.benchmarking.columns import Row

BOTH = ("zsn2n", "zsn2m-star")
HALF = " bf16-mixed"
VARIANTS = {
    recipe + suffix: (recipe, overrides)
    for recipe in (*BOTH, "zsn2m", "zsn2m-star-real", "zsn2m-real")
    for suffix, overrides in {"": (), HALF: (BF16,)}.items()
}


@dataclass(frozen=True)
class Section:
    """A section of the page, and the paper's PSNR / SSIM by recipe."""

    title: str
    parts: Sequence[Part]
    paper: dict[str, str]

    def run(self) -> None:
        """Run what is missing."""
        for part in self.parts:
            part.run()


def variants(*recipes: str, suffix: str = HALF) -> dict[str, tuple[str, Sequence[str]]]:
    """Return some recipes in one precision."""
    return {recipe + suffix: VARIANTS[recipe + suffix] for recipe in recipes}


def synthetic(recipes: Sequence[str], images: list[Path], noise: str = CLIPPED, folder: str = "kodak24") -> Part:
    """Return a comparison with synthetic noise in bf16-mixed."""
    return Part(f"studies/zsn2m/{folder}", variants(*recipes), images, (noise,))


def real(name: str, recipes: Sequence[str], count: int) -> Part:
    """Return a comparison on ``count`` noisy images, evenly spread by name."""
    noisy = noisy_images(name)
    return real_part(f"studies/zsn2m/{name}", variants(*recipes), noisy[:: len(noisy) // count][:count])


def sections() -> dict[str, Section]:
    """Return the sections by name."""
    four, large = kodak24(FOUR), set14()
    precisions = variants(*BOTH, suffix="") | variants(*BOTH)
    made = {
        "precision": Section(
            "float32 beside bf16-mixed, 4 Kodak24 crops",
            [Part("studies/zsn2m/kodak24", precisions, four, (CLIPPED,))],
            {},
        ),
        "kodak24": Section(
            f"All 24 Kodak24 crops, `{CLIPPED}`",
            [synthetic(BOTH, kodak24())],
            {"zsn2n": "28.27 / .776", "zsn2m-star": "29.39 / .812"},
        ),
        "two-stages": Section(
            f"Both networks, 4 Kodak24 crops, `{CLIPPED}`",
            [synthetic(("zsn2m-star", "zsn2m"), four)],
            {"zsn2m-star": "29.39 / .812", "zsn2m": "29.56 / .827"},
        ),
        "poisson:25": Section(
            "4 Kodak24 crops, `poisson:25`",
            [synthetic((*BOTH, "zsn2m"), four, "poisson:25")],
            {"zsn2n": "27.03 / .714", "zsn2m-star": "27.82 / .766", "zsn2m": "27.93 / .790"},
        ),
        "gaussian:5-50": Section(
            "4 Kodak24 crops, `gaussian:5-50:clip`",
            [synthetic(BOTH, four, "gaussian:5-50:clip")],
            {"zsn2n": "28.28 / .761", "zsn2m-star": "29.28 / .793"},
        ),
        "poisson:5-50": Section(
            "4 Kodak24 crops, `poisson:5-50`",
            [synthetic(BOTH, four, "poisson:5-50")],
            {"zsn2n": "26.45 / .714", "zsn2m-star": "26.97 / .734"},
        ),
        "set14": Section(
            f"Set14's crops that exist ({len(large)} of 14), `{CLIPPED}`",
            [synthetic(BOTH, large, folder="set14")],
            {"zsn2n": "27.88 / .753", "zsn2m-star": "28.76 / .814"},
        ),
    }
    for name, paper in (
        ("sidd", ("33.28 / .879", "36.73 / .910", "36.89 / .927")),
        ("polyu", ("34.95 / .897", "36.38 / .926", "37.65 / .933")),
        ("fmd", ("33.48 / .897", "34.25 / .907", "34.53 / .915")),
    ):
        recipes = ("zsn2n", "zsn2m-star-real", "zsn2m-real")
        parts = [real(name, recipes[:2], 4), real(name, recipes[2:], 1)]
        made[name] = Section(f"Real noise, {name.upper()}", parts, dict(zip(recipes, paper, strict=True)))
    return made


def table(section: Section) -> list[str]:
    """Return a section as Markdown; nothing if it has no rows."""
    found = {name: part.rows(name) for part in section.parts for name in part.variants if part.rows(name)}
    if not found:
        return []
    lines = [
        f"## {section.title}",
        "",
        f"Setting: {setting([row for rows in found.values() for row in rows])}.",
        "",
        "| recipe | n | steps | parameters | s | noisy PSNR | PSNR | SSIM | paper |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in found.items():
        counts = f"{len(rows)} | {rows[0]['steps']} | {rows[0]['parameters']} | {average(rows, 'seconds'):.0f}"
        scores = f"{average(rows, 'noisy_psnr'):.2f} | **{average(rows):.2f}** | {average(rows, 'ssim'):.3f}"
        lines.append(f"| {label(name)} | {counts} | {scores} | {section.paper.get(name.removesuffix(HALF), '-')} |")
    return [*lines, "", *gains(found), ""]


def gains(found: dict[str, list[Row]]) -> list[str]:
    """Return the gain of a recipe over an earlier one, or over itself in another precision, image by image."""
    lines = []
    for before, after in combinations(found, 2):
        same_recipe = before.removesuffix(HALF) == after.removesuffix(HALF)
        if not same_recipe and before.endswith(HALF) != after.endswith(HALF):
            continue
        first, second = ({row["image"]: float(row["psnr"]) for row in found[name]} for name in (before, after))
        each = [second[image] - first[image] for image in second if image in first]
        if each:
            lines.append(
                f"- {label(after)} against {label(before)}: {sum(each) / len(each):+.3f} dB on the {len(each)} "
                f"images of both, {min(each):+.2f} to {max(each):+.2f}"
            )
    return lines


def label(name: str) -> str:
    """Return a variant's label in tables."""
    recipe = name.removesuffix(HALF)
    return f"`{recipe}`{name.removeprefix(recipe)}"


def write_page() -> None:
    """Write the page from the rows."""
    lines = [
        "# ZS-N2M beside ZS-N2N",
        "",
        "256x256 centre crops, by the rules of the [protocol](../protocol.md); printed by "
        "`python benchmarks/zsn2m.py`, rows: `studies/zsn2m`. The paper is ZS-N2M (AAAI 2025), its Tables 1 and 2; "
        "its figures for ZS-N2N are its own runs, too. They are for its own settings and all of "
        "Kodak24, all of Set14, 20 images of each real set; a dash where it has none. Its gaps were filled as in "
        "[zsn2m_choices](zsn2m_choices.md), which also shows what was tried for the second network: its losses (eq. 5 "
        "and 6) depend only on the means of 2x2 cells, and leave the content of a cell to its architecture. Several "
        "jobs ran at a time, so the seconds are too high.",
        "",
    ]
    lines += [line for section in sections().values() for line in table(section)]
    (RESULTS / "zsn2m.md").write_text("\n".join(lines))


def main() -> None:
    """Run the named parts, or all, and write the page after each."""
    run_parts({name: section.run for name, section in sections().items()}, write_page)


if __name__ == "__main__":
    main()
