"""What a file says about its axes: the distance between neighbours, its unit, and the names of channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

_SYMBOLS = {
    "picometer": "pm",
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "inch": "in",
    "microsecond": "µs",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
}
_NAMES = {symbol: name for name, symbol in _SYMBOLS.items()} | {
    "um": "micrometer",
    "\u03bcm": "micrometer",  # Greek mu instead of the micro sign
    "micron": "micrometer",
    "microns": "micrometer",
    "msec": "millisecond",
    "usec": "microsecond",
    "us": "microsecond",
    "sec": "second",
    "A": "angstrom",
}


@dataclass(frozen=True)
class Calibration:
    """Steps, units and channel names of the axes of a file; empty where it does not say.

    Args:
        steps: distance between neighbours along an axis, by its letter.
        units: of the steps, by letter: names such as ``micrometer``.
        channels: names.

    Example:
        >>> Calibration({"X": 0.1}, {"X": "micrometer"}).said
        ['pixel size', 'units']
    """

    steps: Mapping[str, float] = field(default_factory=dict, metadata={"label": "pixel size"})
    units: Mapping[str, str] = field(default_factory=dict, metadata={"label": "units"})
    channels: Sequence[str] = field(default=(), metadata={"label": "channel names"})

    @property
    def said(self) -> list[str]:
        """What the file says, in words."""
        return [each.metadata["label"] for each in fields(self) if getattr(self, each.name)]


def unit_name(symbol: str) -> str:
    """Return the name of a unit from its symbol; an unknown one stays as it is.

    Example:
        >>> unit_name("um"), unit_name("second")
        ('micrometer', 'second')
    """
    symbol = symbol.strip().replace("\\u00B5", "µ")  # as ImageJ writes it
    return _NAMES.get(symbol, symbol)


def unit_symbol(name: str) -> str:
    """Return the symbol of a unit from its name; an unknown one stays as it is.

    Example:
        >>> unit_symbol("micrometer")
        'µm'
    """
    return _SYMBOLS.get(name, name)
