"""ZS-N2M beside ZS-N2N and the paper's tables: writes docs/results/zsn2m.csv row by row, and zsn2m.md.

    TORCHDENOISE_DATA=DIR python benchmarks/zsn2m.py [GROUP ...]

Without a group all of them, in order: hours on two cores. A command that is killed goes on where it stopped, and the
page shows what there is.
"""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from rows import HALF, RESULTS, Job, Row, asked, average, data_folder, four_images, run, setting

from torchdenoise.data import read_picture

TABLE = RESULTS / "zsn2m.csv"
BOTH = ("zsn2n", "zsn2m-star")
CLIPPED = "gaussian:25:clip"
WHOLE = 24


@dataclass(frozen=True)
class Group:
    """Jobs that make one part of the page, and what the paper prints for each recipe (PSNR / SSIM)."""

    title: str
    jobs: list[Job]
    paper: dict[str, str]


def synthetic(pictures: list[Path], recipes: tuple[str, ...], noise: str, how: tuple[str, ...] = HALF) -> list[Job]:
    """Return a job for each picture and recipe, picture by picture."""
    return [Job(picture, recipe, noise, how) for picture in pictures for recipe in recipes]


def real(name: str, recipes: tuple[str, ...], count: int) -> list[Job]:
    """Return a job for each of ``count`` pairs, evenly spread by name, and each recipe."""
    folder = data_folder() / name
    pictures = sorted((folder / "noisy").iterdir())
    chosen = pictures[:: len(pictures) // count][:count]
    return [
        Job(folder / "clean" / noisy.name, recipe, f"real {name}", HALF, noisy=noisy)
        for noisy in chosen
        for recipe in recipes
    ]


def groups() -> dict[str, Group]:
    """Return all parts of the page by name."""
    kodak = sorted((data_folder() / "kodak24").glob("*.png"))
    four = four_images()
    set14 = sorted((data_folder() / "set14").glob("*.png"))
    large = [path for path in set14 if min(read_picture(path).image.shape[-2:]) >= 256]
    two = ("zsn2m",)
    made = {
        "precision": Group(
            "float32 beside bf16-mixed, 4 Kodak24 crops",
            [*synthetic(four, BOTH, CLIPPED, ()), *synthetic(four, BOTH, CLIPPED)],
            {},
        ),
        "kodak24": Group(
            f"All 24 Kodak24 crops, `{CLIPPED}`",
            synthetic(kodak, BOTH, CLIPPED),
            {"zsn2n": "28.27 / .776", "zsn2m-star": "29.39 / .812"},
        ),
        "two-stages": Group(
            f"Both networks, 4 Kodak24 crops, `{CLIPPED}`",
            synthetic(four, ("zsn2m-star", "zsn2m"), CLIPPED),
            {"zsn2m-star": "29.39 / .812", "zsn2m": "29.56 / .827"},
        ),
        "poisson:25": Group(
            "4 Kodak24 crops, `poisson:25`",
            [*synthetic(four, BOTH, "poisson:25"), *synthetic(four, two, "poisson:25")],
            {"zsn2n": "27.03 / .714", "zsn2m-star": "27.82 / .766", "zsn2m": "27.93 / .790"},
        ),
        "gaussian:5-50": Group(
            "4 Kodak24 crops, `gaussian:5-50:clip`",
            synthetic(four, BOTH, "gaussian:5-50:clip"),
            {"zsn2n": "28.28 / .761", "zsn2m-star": "29.28 / .793"},
        ),
        "poisson:5-50": Group(
            "4 Kodak24 crops, `poisson:5-50`",
            synthetic(four, BOTH, "poisson:5-50"),
            {"zsn2n": "26.45 / .714", "zsn2m-star": "26.97 / .734"},
        ),
        "set14": Group(
            f"Set14's crops that exist ({len(large)} of 14), `{CLIPPED}`",
            synthetic(large, BOTH, CLIPPED),
            {"zsn2n": "27.88 / .753", "zsn2m-star": "28.76 / .814"},
        ),
    }
    for name, paper in (
        ("sidd", ("33.28 / .879", "36.73 / .910", "36.89 / .927")),
        ("polyu", ("34.95 / .897", "36.38 / .926", "37.65 / .933")),
        ("fmd", ("33.48 / .897", "34.25 / .907", "34.53 / .915")),
    ):
        recipes = ("zsn2n", "zsn2m-star-real", "zsn2m-real")
        jobs = [*real(name, recipes[:2], 4), *real(name, recipes[2:], 1)]
        made[name] = Group(f"Real noise, {name.upper()}", jobs, dict(zip(recipes, paper, strict=True)))
    return made


def section(group: Group) -> list[str]:
    """Return a part of the page; nothing while it has no row."""
    rows = run(group.jobs, TABLE, only_done=True)
    if not rows:
        return []
    lines = [
        f"## {group.title}",
        "",
        f"{setting(rows)[0].upper()}{setting(rows)[1:]}.",
        "",
        "| recipe | n | steps | parameters | s | noisy PSNR | PSNR | SSIM | paper |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for recipe, how in dict.fromkeys((row["recipe"], row["overrides"]) for row in rows):
        mine = [row for row in rows if (row["recipe"], row["overrides"]) == (recipe, how)]
        counts = f"{len(mine)} | {mine[0]['steps']} | {mine[0]['parameters']} | {average(mine, 'seconds'):.0f}"
        scores = f"{average(mine, 'noisy_psnr'):.2f} | **{average(mine):.2f}** | {average(mine, 'ssim'):.3f}"
        lines.append(f"| {label(recipe, how)} | {counts} | {scores} | {group.paper.get(recipe, '-')} |")
    return [*lines, "", *leads(rows), ""]


def leads(rows: list[Row]) -> list[str]:
    """Return by how much a recipe is ahead of one before it, or of itself in another precision, picture by picture."""
    methods = list(dict.fromkeys((row["recipe"], row["overrides"]) for row in rows))
    told = []
    for before, after in combinations(methods, 2):
        if before[1] != after[1] and before[0] != after[0]:
            continue
        first, second = (
            {row["image"]: float(row["psnr"]) for row in rows if (row["recipe"], row["overrides"]) == method}
            for method in (before, after)
        )
        gains = [second[image] - first[image] for image in second if image in first]
        if gains:
            smallest, largest = min(gains), max(gains)
            told.append(
                f"- {label(*after)} against {label(*before)}: {sum(gains) / len(gains):+.3f} dB on the {len(gains)} "
                f"pictures of both, {smallest:+.2f} to {largest:+.2f}"
            )
    return told


def label(recipe: str, overrides: str) -> str:
    """Return how a table calls a recipe."""
    return f"`{recipe}`" + (" bf16-mixed" if "bf16" in overrides else "")


def page() -> str:
    """Return what there is as Markdown."""
    lines = [
        "# ZS-N2M beside ZS-N2N",
        "",
        "256x256 centre crops, by the rules of the [protocol](../protocol.md); printed by "
        "`python benchmarks/zsn2m.py`, the rows: `zsn2m.csv`. The paper's figures are for its own settings and all of "
        "Kodak24, all of Set14, 20 pictures of each real set; a dash where it has none. What it leaves open was chosen "
        "as in [zsn2m_choices](zsn2m_choices.md), which also shows what was tried for the second network: its losses "
        "(eq. 5 and 6) speak of the means of 2x2 cells alone, and leave to its architecture what is inside a cell. "
        "Seconds of rows with one thread were taken with other work beside them.",
        "",
    ]
    return "\n".join([*lines, *(line for group in groups().values() for line in section(group))])


def main() -> None:
    """Run the named groups, or all, and write the page after each."""
    table = groups()
    for name in asked(list(table)):
        run(table[name].jobs, TABLE)
        (RESULTS / "zsn2m.md").write_text(page())


if __name__ == "__main__":
    main()
