"""Published figures for Kodak24's 256x256 centre crops, and reasons why ours differ."""

from collections.abc import Mapping

Range = tuple[float, float]
TOLERANCE = 0.3
"""Differences from the published range up to this many decibels need no reason."""

PUBLISHED: dict[str, dict[str, Range]] = {
    "gaussian:25:clip": {
        "zsn2n": (28.27, 29.07), "zsn2n-3000": (28.27, 29.07), "zsn2m-star": (29.39, 29.39), "zsn2m": (29.56, 29.56),
        "bm3d-oracle": (30.95, 30.95), "dip-750": (26.47, 27.38), "dip": (26.47, 27.38),
        "self2self-1500": (27.38, 28.39), "self2self-15k": (27.38, 28.39), "mash": (24.29, 24.29),
        "mash-code": (24.29, 24.29), "pixel2pixel": (29.31, 29.31), "nlr": (29.12, 29.12),
        "self2self-star-1500": (27.21, 27.21), "self2self-star-15k": (27.21, 27.21), "n2c-blind": (28.01, 28.01),
        "n2n-blind": (27.92, 27.92), "n2v-blind": (27.72, 27.72),
    },
    "poisson:25": {
        "zsn2n": (27.03, 27.03), "zsn2n-3000": (27.03, 27.03), "zsn2m-star": (27.82, 27.82), "zsn2m": (27.93, 27.93),
        "bm3d": (25.63, 25.63), "dip-750": (25.83, 25.83), "self2self-1500": (28.02, 28.02),
        "n2c-blind": (27.13, 27.13), "n2n-blind": (27.11, 27.11), "n2v-blind": (25.28, 25.28),
    },
}  # fmt: skip
"""Range by noise and recipe, over all 24 crops: ZS-N2M (AAAI 2025), Table 1, and where they differ ZS-HPD (CVPR 2026)
and NLR (NeurIPS 2025)."""

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
    "n2c-blind": UNDERTRAINED,
    "n2n-blind": UNDERTRAINED,
    "n2v-blind": UNDERTRAINED,
}
"""Reason by recipe."""


def cell(noise: str, recipe: str) -> str:
    """Return the published figure for a table."""
    found = PUBLISHED.get(noise, {}).get(recipe)
    if found is None:
        return "-"
    low, high = found
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def differences(noise: str, figures: Mapping[str, float], shift: float) -> list[str]:
    """Return a line for each figure that lies outside the published range after adding the shift."""
    found_lines = []
    for recipe, psnr in figures.items():
        low, high = PUBLISHED.get(noise, {}).get(recipe, (psnr + shift, psnr + shift))
        moved = psnr + shift
        gap = moved - min(max(moved, low), high)
        if abs(gap) > TOLERANCE:
            reason = WHY.get(recipe, "**not explained**")
            found_lines.append(f"- `{recipe}` {gap:+.1f} ({moved:.2f} against {cell(noise, recipe)}): {reason}")
    return found_lines
