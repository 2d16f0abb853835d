"""The pictures that ``predict`` writes."""

from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from torchdenoise.data import DenoisingData, check_output, write_picture
from torchdenoise.errors import UserError
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


def _data(trainer: Trainer) -> DenoisingData:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, DenoisingData):
        raise UserError(f"{type(data).__name__} does not name its pictures: derive it from DenoisingData")
    return data
