"""The callback that draws the curves of a fit."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from typing_extensions import override

from torchdenoise.callbacks.validation import tells_progress
from torchdenoise.charts import Panel, Series, stacked
from torchdenoise.partial_files import completed

MAX_POINTS = 200
"""The largest number of points of a curve; a longer one shows the means of neighbouring values."""


class Curves(Callback):
    """Draws ``curves.svg`` beside ``metrics.csv`` when a fit ends or the user stops it: loss and scores by step."""

    @override
    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draw the curves."""
        for logger in trainer.loggers:
            if trainer.is_global_zero and isinstance(logger, CSVLogger):
                logger.save()
                _draw(Path(logger.log_dir))

    @override
    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Draw the curves if the user stopped the fit."""
        if isinstance(exception, (KeyboardInterrupt, SIGTERMException)):
            self.on_train_end(trainer, pl_module)


def _draw(folder: Path) -> None:
    """Draw the curves of a folder; nothing if its ``metrics.csv`` holds none, as after a few steps."""
    table = folder / "metrics.csv"
    if not table.is_file():
        return
    with table.open(newline="", encoding="utf-8") as file:
        panels = _panels(list(csv.DictReader(file)))
    if panels:
        with completed(folder / "curves.svg") as partial:
            partial.write_text(stacked(panels, "steps"), encoding="utf-8")


def _panels(rows: Sequence[Mapping[str, str]]) -> list[Panel]:
    """Return the losses in one panel, and each score of the validation in one of its own."""
    columns = list(rows[0]) if rows else []
    losses = [name for name in columns if name == "loss" or name.startswith("val_loss")]
    scores = [name for name in columns if tells_progress(name) and name not in losses]
    panels = []
    for up, names in (("loss", losses), *((name, [name]) for name in scores)):
        series = [Series(name, number, _points(rows, name)) for number, name in enumerate(names)]
        if found := [each for each in series if each.points]:
            panels.append(Panel(found, up, log=up == "loss"))
    return panels


def _points(rows: Sequence[Mapping[str, str]], name: str) -> list[tuple[float, float]]:
    """Return (step, value) of a column, steps counted from 1."""
    found = [(int(row["step"]) + 1, float(row[name])) for row in rows if row[name]]
    finite = [point for point in found if math.isfinite(point[1])]
    size = math.ceil(len(finite) / MAX_POINTS)
    groups = [finite[begin : begin + size] for begin in range(0, len(finite), size or 1)]
    return [(mean(step for step, _ in group), mean(value for _, value in group)) for group in groups]
