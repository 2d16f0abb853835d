"""The callback that writes predicted pictures."""

from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from torchdenoise.data import DenoisingData, check_output, write_picture
from torchdenoise.denoisers import Denoiser
from torchdenoise.errors import DataError
from torchdenoise.plans import check_folders, plan_outputs


class PictureWriter(Callback):
    """Writes each predicted picture in the file format of its source.

    Args:
        output: a file, or a folder for several pictures; None writes beside each source.
        overwrite: whether to replace files that exist.
    """

    def __init__(self, output: Path | None, overwrite: bool) -> None:
        self.output = output
        self.overwrite = overwrite
        self.targets: dict[int, Path] = {}

    @override
    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the file of each result before any work is done."""
        data = named_data(trainer)
        sources = [source for source in data.sources if source is not None]
        if not sources:
            return
        pairs = plan_outputs(sources, self.output)
        check_folders(pairs)
        planned = dict(pairs)  # without earlier results that lie among the sources
        self.targets = {index: planned[path] for index, path in enumerate(data.sources) if path in planned}
        for index, target in self.targets.items():
            if target.exists() and not self.overwrite:
                check_output(target, data.picture(index), self.overwrite)

    @override
    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the pictures of a batch."""
        data = named_data(trainer)
        images = outputs.cpu().split(1)
        noise = pl_module.noise_line() if isinstance(pl_module, Denoiser) and len(images) == 1 else ""
        for image, index in zip(images, batch["index"].tolist(), strict=True):
            if index in self.targets:
                write_picture(self.targets[index], image, data.picture(index).with_remarks([noise]), self.overwrite)
                print(f"{data.sources[index]} -> {self.targets[index]}")

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the other processes: the command ends with the first one, and all results are there by then."""
        trainer.strategy.barrier("predicted pictures")


def named_data(trainer: Trainer) -> DenoisingData:
    """Return the data module that names the pictures; DataError for one that does not."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, DenoisingData):
        raise DataError(f"{type(data).__name__} does not name its pictures: derive it from DenoisingData")
    if not data.sources:
        raise DataError(f"{type(data).__name__}.prepare does not set self.sources: the path of each picture, or None")
    return data
