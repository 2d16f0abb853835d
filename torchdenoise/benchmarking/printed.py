"""How figures for papers look, and the files they become: fonts inside, the same bytes whenever they are drawn."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from torchdenoise.extras import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.16
"""Widths in inches, as IEEE prints them; those of other journals are within a few per cent."""
DPI = 600
"""Pixels an inch of pictures: what journals ask of pictures with text."""
_STYLE = {
    "axes.labelsize": 8,
    "axes.linewidth": 0.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["STIXGeneral", "DejaVu Sans"],  # like Times; both come with matplotlib
    "font.size": 8,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.4,
    "legend.columnspacing": 1.2,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.handletextpad": 0.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 5.0,
    "pdf.fonttype": 42,  # TrueType: journals refuse type 3
    "svg.hashsalt": "torchdenoise",  # else names of parts are random
    "text.parse_math": False,  # a dollar in a name is a dollar
    "xtick.labelsize": 7,
    "xtick.major.width": 0.5,
    "ytick.labelsize": 7,
    "ytick.major.width": 0.5,
}
_WITHOUT_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def printed(name: str, draw: "Callable[[], Figure]") -> dict[str, bytes]:
    """Return file name -> content of a figure, as PDF and as SVG.

    Args:
        name: of the files, without suffix.
        draw: makes the figure; called with our style, whatever style the user has set for matplotlib.
    """
    matplotlib = plotting()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = draw()
        files = {}
        for suffix, metadata in _WITHOUT_DATE.items():
            content = io.BytesIO()
            figure.savefig(content, format=suffix, metadata=metadata)
            files[f"{name}.{suffix}"] = content.getvalue()
    return files
