"""The published figures beside ours: each with the paper that it comes from."""

from pathlib import Path

import pytest


@pytest.fixture
def published(script):
    return script("published")


def test_the_page_of_comparisons_names_the_paper_of_each_figure(published):
    page = (Path(__file__).parents[1] / "docs/results/compare.md").read_text()
    assert "\n".join(published.sources()) in page
    rows = [line for line in published.sources() if "| `zsn2n`, `zsn2n-3000` | `gaussian:25:clip` |" in line]
    assert [row.split(" | ")[2:] for row in rows] == [
        ["28.27", "ZS-N2M (AAAI 2025), Table 1", "others, as a baseline |"],
        ["29.07", "ZS-HPD (CVPR 2026), as a note on that paper quotes it", "others, as a baseline |"],
    ]
    assert all(paper in published.PUBLISHED["gaussian:25:clip"][recipe] for recipe, paper in published.OWN.items())


def test_a_cell_is_the_figure_or_the_range(published):
    cells = [published.cell("gaussian:25:clip", recipe) for recipe in ("zsn2n", "mash", "fast")]
    assert cells == ["28.27 to 29.07", "24.29", "-"]


def test_only_what_lies_outside_the_range_is_explained(published):
    figures = {"zsn2n": 28.6, "mash": 24.0, "nlr": 28.0, "fast": 31.0}
    (line,) = published.differences("gaussian:25:clip", figures, 0.1)
    assert line.startswith("- `nlr` -1.0 (28.10 against 29.12): ")
