"""The table of scores that ``test`` prints."""

import sys
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from torchdenoise.data import DenoisingData
from torchdenoise.errors import UserError
from torchdenoise.metrics import all_metrics


class ScoreTable(Callback):
    """Prints the metrics of every tested picture, and their means."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: dict[int, tuple[float, ...]] = {}

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the scores of a batch."""
        self.names = list(outputs)
        scores = zip(*(values.tolist() for values in outputs.values()), strict=True)
        self.rows.update(zip(batch["index"].tolist(), scores, strict=True))

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the scores of all processes: aligned on a terminal, tab-separated elsewhere."""
        if trainer.world_size > 1:
            parts: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, self.rows)
            self.rows = {index: scores for part in parts for index, scores in part.items()}
        if not trainer.is_global_zero:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, DenoisingData):
            raise UserError(f"{type(data).__name__} does not name its pictures: derive it from DenoisingData")
        named = [(str(data.sources[index]), *scores) for index, scores in sorted(self.rows.items())]
        means = torch.tensor([scores for _, *scores in named]).mean(0).tolist()
        print(_table(self.names, [*named, (f"mean of {len(named)}", *means)]))


def _table(names: list[str], rows: list[tuple[Any, ...]]) -> str:
    metrics = [all_metrics()[name] for name in names]
    table = [["picture", *(each.heading or name for name, each in zip(names, metrics, strict=True))]]
    for picture, *values in rows:
        pairs = zip(values, metrics, strict=True)
        table.append([picture, *(f"{value:.{metric.digits + 1}f}" for value, metric in pairs)])
    if not sys.stdout.isatty():
        return "\n".join("\t".join(line) for line in table)
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines = (
        [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        for line in table
    )
    return "\n".join("  ".join(line) for line in lines)
