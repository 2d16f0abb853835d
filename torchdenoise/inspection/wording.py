"""What is found in a picture, as names and texts for people."""

from collections.abc import Sequence

import numpy as np

from torchdenoise.inspection.inspecting import Inspection
from torchdenoise.inspection.suitability import Suitability
from torchdenoise.noise import NoiseLevelFunction, ValueRange
from torchdenoise.noise.describing import MIN_LEVEL, beside, sensor

SHOWN = 8
"""Of the recipes that suit a picture, at most."""


def in_words(inspection: Inspection, recipes: Sequence[Suitability]) -> list[tuple[str, str]]:
    """Return the facts about a picture, each as a name and a text.

    Args:
        inspection: of the picture.
        recipes: of which the facts say whether the picture suits them.

    Example:
        >>> import torch
        >>> from torchdenoise.inspection import inspect_noise
        >>> white = torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
        >>> in_words(inspect_noise(0.5 + 0.1 * white), [Suitability("fast", ())])[-1]
        ('assumptions hold', 'fast')
    """
    profile, (low, high) = inspection.profile, inspection.levels
    rows = [("level", _level(low, high, profile.values))]
    if profile.level.gain and (profile.few_photons or not profile.correlated) and high >= MIN_LEVEL:
        rows += _sensor(profile.level, profile.values)
    if high >= MIN_LEVEL:
        across, down = (round(each, 2) + 0.0 for each in inspection.neighbours)
        rows.append(("neighbours' correlation", f"{across:.2f} across, {down:.2f} down"))
    if inspection.channels is not None and len(inspection.channels) > 1:
        count = len(inspection.channels)
        pairs = [round(inspection.channels[one, other].item(), 2) + 0.0 for one in range(count) for other in range(one)]
        rows.append(("channels' correlation", ", ".join(f"{pair:.2f}" for pair in pairs)))
    black, white = inspection.clipped
    rows.append(("values at black, white", f"{black:.1%}, {white:.1%}"))
    rows += [("beside", text) for text in beside(profile)]
    if inspection.informative_share < 1:
        rows.append(("shows noise", f"{inspection.informative_share:.0%} of the picture"))
    return [*rows, *(("note", note) for note in inspection.notes), *_of_recipes(recipes)]


def _sensor(level: NoiseLevelFunction, values: ValueRange | None) -> list[tuple[str, str]]:
    """Return gain, read noise and pedestal on the 0-255 scale, and in the file's values if they differ."""
    photons = f"about {1 / level.gain:.0f} photons at white"
    rows = [("sensor", f"{sensor(level, _three_digits)} (of 255); {photons}")]
    if values is not None and values.describe():
        text = sensor(level, _three_digits, values.white, values.black)
        if np.issubdtype(values.dtype, np.integer):
            text += f"; {_three_digits(1 / (level.gain * (values.white - values.black)))} photons a count"
        rows.append(("in the file's values", text))
    return rows


def _level(low: float, high: float, values: ValueRange | None) -> str:
    """Return the least and the largest level on the 0-255 scale, and in the file's values if they differ."""
    text = f"{_range(f'{low:.1f}', f'{high:.1f}')} of 255"
    if values is None or not values.describe():
        return text
    unit = (values.white - values.black) / 255
    return f"{text}, which is {_range(_three_digits(low * unit), _three_digits(high * unit))} in the file's values"


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _of_recipes(recipes: Sequence[Suitability]) -> list[tuple[str, str]]:
    """Return which recipes' assumptions hold, and which do not and why."""
    reasons: dict[tuple[str, ...], list[str]] = {}
    for each in recipes:
        reasons.setdefault(each.broken, []).append(each.recipe)
    suited = reasons.pop((), [])
    more = f" and {len(suited) - SHOWN} more (inspect --json has all)" if len(suited) > SHOWN else ""
    hold = ", ".join(suited[:SHOWN]) + more or "none"
    broken = [("do not hold", f"{', '.join(names)}: {'; '.join(why)}") for why, names in reasons.items()]
    return [("assumptions hold", hold), *broken]
