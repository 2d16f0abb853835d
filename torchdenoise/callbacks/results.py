"""What ``predict`` and ``test`` leave behind: pictures, and a table of scores."""

import sys
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from torchdenoise.data import DenoisingData, check_output, write_picture
from torchdenoise.errors import DataError, UserError
from torchdenoise.paths import make_folders, plan_outputs


class PictureWriter(Callback):
    """Writes every predicted picture as the kind of file that its source is."""

    def __init__(self, output: Path | None, overwrite: bool) -> None:
        self.output = output
        self.overwrite = overwrite
        self.targets: dict[int, Path] = {}

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Find a name for every result before any work is done."""
        data = _data(trainer)
        sources = [source for source in data.sources if source is not None]
        if not sources:
            return
        pairs = plan_outputs(sources, self.output)
        make_folders(pairs)
        planned = dict(pairs)  # earlier results among the pictures have no result of their own
        self.targets = {index: planned[path] for index, path in enumerate(data.sources) if path in planned}
        for index, target in self.targets.items():
            if target.exists() and not self.overwrite:
                check_output(target, data.picture(index), self.overwrite)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Write the pictures of a batch."""
        for image, index in zip(outputs.cpu().split(1), batch["index"].tolist(), strict=True):
            if index not in self.targets:
                continue
            write_picture(self.targets[index], image, _data(trainer).picture(index), self.overwrite)
            print(f"{_data(trainer).sources[index]} -> {self.targets[index]}")


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
        sources = _data(trainer).sources
        named = [(str(sources[index]), *scores) for index, scores in sorted(self.rows.items())]
        means = torch.tensor([scores for _, *scores in named]).mean(0).tolist()
        rows = [*named, (f"mean of {len(named)}", *means)]
        width = max(len(name) for name, *_ in rows)
        line = f"{{:<{width}}}  {{:>7}}  {{:>6}}" if sys.stdout.isatty() else "{}\t{}\t{}"
        print(line.format("picture", "PSNR", "SSIM"))
        for name, psnr, ssim in rows:
            print(line.format(name, f"{psnr:.3f}", f"{ssim:.4f}"))


def _data(trainer: Trainer) -> DenoisingData:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, DenoisingData):
        raise UserError(f"{type(data).__name__} does not name its pictures: derive it from DenoisingData")
    if not data.sources:
        raise DataError(f"{type(data).__name__}.prepare does not set self.sources: the path of each picture, or None")
    return data
