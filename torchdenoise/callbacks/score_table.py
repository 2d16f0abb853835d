"""The table of scores that ``test`` prints."""

import sys
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from torchdenoise.callbacks.predicted_pictures import named_data


class ScoreTable(Callback):
    """Prints PSNR and SSIM of every tested picture, and their means."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[float, float]] = {}

    def on_test_batch_end(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Keep the scores of a batch."""
        scores = zip(outputs["psnr"].tolist(), outputs["ssim"].tolist(), strict=True)
        self.rows.update(zip(batch["index"].tolist(), scores, strict=True))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Print the table of what all processes have scored: aligned on a terminal, tab-separated elsewhere."""
        if trainer.world_size > 1:
            parts: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, self.rows)
            self.rows = {index: scores for part in parts for index, scores in part.items()}
        if not trainer.is_global_zero:
            return
        sources = named_data(trainer).sources
        named = [(str(sources[index]), *scores) for index, scores in sorted(self.rows.items())]
        means = torch.tensor([scores for _, *scores in named]).mean(0).tolist()
        rows = [*named, (f"mean of {len(named)}", *means)]
        width = max(len(name) for name, *_ in rows)
        line = f"{{:<{width}}}  {{:>7}}  {{:>6}}" if sys.stdout.isatty() else "{}\t{}\t{}"
        print(line.format("picture", "PSNR", "SSIM"))
        for name, psnr, ssim in rows:
            print(line.format(name, f"{psnr:.3f}", f"{ssim:.4f}"))
