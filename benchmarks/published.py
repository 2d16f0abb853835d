"""Published figures for Kodak24's 256x256 centre crops, and reasons why ours differ."""

from collections.abc import Mapping

TOLERANCE = 0.3
"""Differences from the published range up to this many decibels need no reason."""

ZSN2M = "ZS-N2M (AAAI 2025), Table 1"
NLR = "NLR (NeurIPS 2025)"
ZSHPD = "ZS-HPD (CVPR 2026), as a note on that paper quotes it"
OWN = {"zsn2m": ZSN2M, "zsn2m-star": ZSN2M, "nlr": NLR}
"""Recipes whose figure is that of the authors of the method; the others were run as baselines."""
Figures = Mapping[str, float]
"""PSNR in dB by the paper that has it."""

BY_METHOD: dict[str, dict[tuple[str, ...], Figures]] = {
    "gaussian:25:clip": {
        ("zsn2n", "zsn2n-3000"): {ZSN2M: 28.27, ZSHPD: 29.07},
        ("zsn2m-star",): {ZSN2M: 29.39},
        ("zsn2m",): {ZSN2M: 29.56},
        ("bm3d-oracle",): {ZSN2M: 30.95},
        ("dip", "dip-750"): {ZSN2M: 26.47, NLR: 27.38},
        ("self2self-15k", "self2self-1500"): {ZSN2M: 27.38, NLR: 28.39},
        ("self2self-star-15k", "self2self-star-1500"): {ZSN2M: 27.21},
        ("mash", "mash-code"): {NLR: 24.29},
        ("pixel2pixel",): {NLR: 29.31},
        ("nlr",): {NLR: 29.12},
        ("n2c-blind",): {ZSN2M: 28.01},
        ("n2n-blind",): {ZSN2M: 27.92},
        ("n2v-blind",): {ZSN2M: 27.72},
    },
    "poisson:25": {
        ("zsn2n", "zsn2n-3000"): {ZSN2M: 27.03},
        ("zsn2m-star",): {ZSN2M: 27.82},
        ("zsn2m",): {ZSN2M: 27.93},
        ("bm3d",): {ZSN2M: 25.63},
        ("dip-750",): {ZSN2M: 25.83},
        ("self2self-1500",): {ZSN2M: 28.02},
        ("n2c-blind",): {ZSN2M: 27.13},
        ("n2n-blind",): {ZSN2M: 27.11},
        ("n2v-blind",): {ZSN2M: 25.28},
    },
}
"""By noise and the recipes of a method, over all 24 crops."""
PUBLISHED: dict[str, dict[str, Figures]] = {
    noise: {recipe: figures for recipes, figures in methods.items() for recipe in recipes}
    for noise, methods in BY_METHOD.items()
}
"""By noise and recipe."""

UNDERTRAINED = "the paper's network was trained on only 500 images, as it says itself; ours: docs/results/trained.md"
CUT = "fewer steps than published; and Self2Self's published figures differ by a decibel"
APART = (
    "one image; and Self2Self's published figures lie far apart at Gaussian 25: 27.38 on these crops, 31.28 on "
    "Kodak24's whole images (Neighbor2Neighbor, CVPR 2021, Table 1)"
)
AVERAGED = "ours is the running mean of the outputs, worth more than a decibel in the DIP paper; tables do not specify"
TEXTURE_LOST = (
    "it removes texture with the noise (`removed` and `correlation` in its rows), as if the noise were correlated; the "
    "constants of the published figure are not given: those of the MASH paper (`mash`) reach it on a GPU"
)
DEPTH = (
    "one image; the code of its authors takes the depth of the bank by the true level, ours is the same at all levels, "
    "and the paper that ran it as a baseline does not say which one it took"
)
TWO_FIGURES = "for Gaussian noise its published figures on these crops differ by 0.8 dB"
WHY: dict[str, str] = {
    "bm3d": "both use Chen's level; the paper has one figure for Kodak24 and Set14, and does not say how BM3D was run",
    "zsn2n": TWO_FIGURES,
    "zsn2n-3000": TWO_FIGURES,
    "zsn2m-star": "masks do not bring the gain reported in the paper (docs/results/ablations.md)",
    "zsn2m": "the second network's training is not in the paper (docs/results/zsn2m_choices.md)",
    "mash-code": TEXTURE_LOST,
    "dip": AVERAGED,
    "dip-750": AVERAGED,
    "self2self-1500": CUT,
    "self2self-star-1500": CUT,
    "self2self-15k": APART,
    "self2self-star-15k": APART,
    "pixel2pixel": DEPTH,
    "nlr": "not explained: far more than one image can differ",
    "n2c-blind": UNDERTRAINED,
    "n2n-blind": UNDERTRAINED,
    "n2v-blind": UNDERTRAINED,
}
"""Reason by recipe."""


def cell(noise: str, recipe: str) -> str:
    """Return the published figure for a table, or the range of several."""
    found = PUBLISHED.get(noise, {}).get(recipe)
    if found is None:
        return "-"
    low, high = min(found.values()), max(found.values())
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def differences(noise: str, figures: Mapping[str, float], shift: float) -> list[str]:
    """Return a line for each figure that lies outside the published range after adding the shift."""
    found_lines = []
    for recipe, psnr in figures.items():
        moved = psnr + shift
        published = PUBLISHED.get(noise, {}).get(recipe, {"": moved}).values()
        gap = moved - min(max(moved, min(published)), max(published))
        if abs(gap) > TOLERANCE:
            reason = WHY.get(recipe, "**not explained**")
            found_lines.append(f"- `{recipe}` {gap:+.1f} ({moved:.2f} against {cell(noise, recipe)}): {reason}")
    return found_lines


def sources() -> list[str]:
    """Return a table of the papers that each published figure comes from."""
    text = ["| recipes | noise | PSNR | from | run by |", "|---|---|---|---|---|"]
    for noise, methods in BY_METHOD.items():
        for recipes, figures in methods.items():
            for paper, psnr in figures.items():
                names = ", ".join(f"`{recipe}`" for recipe in recipes)
                runner = "its authors" if OWN.get(recipes[0]) == paper else "others, as a baseline"
                text.append(f"| {names} | `{noise}` | {psnr:.2f} | {paper} | {runner} |")
    return text
