"""The contract of denoisers."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from typing_extensions import override

from torchdenoise.data import DenoisingData, Picture
from torchdenoise.denoisers import Denoiser, Network
from torchdenoise.fitting import HYGIENE, accelerator
from torchdenoise.isolation import quiet, restored_random_state, seed_all
from torchdenoise.testing._shared import (
    CHANNELS,
    SIZES,
    Tensors,
    check_recipe,
    keeping,
    level_and_target,
    noisy_image,
    require,
)


def check_denoiser(
    denoiser: Denoiser,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES[1:],
    channels: Sequence[int] = CHANNELS,
    steps: int = 2,
    batch_keys: Callable[[Tensor], Tensors] | None = None,
    device: str = "cpu",
) -> None:
    """Check that a denoiser keeps the contract of ``Denoiser``: copies of it are fitted to one image for a few steps.

    Args:
        denoiser: an unfitted denoiser, which stays unchanged.
        sizes: (height, width) of the test images; raised to what the method declares as ``smallest``.
        channels: numbers of channels of the test images; a network whose ``channels`` defaults to None takes any.
        steps: of the fit, for each stage.
        batch_keys: given ``noisy (1, C, H, W)``, returns the batch keys that the method requires beyond ``noisy``,
            ``target`` and ``level``.
        device: where to fit.

    Raises:
        AssertionError: the part of the contract that the denoiser breaks.

    Example:
        >>> check_denoiser(ZSN2N(SmallCNN(width=4)), sizes=[(5, 6)])
    """
    check_recipe(denoiser)
    _check_channels(denoiser, channels)
    for size in sizes:
        height, width = (max(side, denoiser.smallest) for side in size)
        for count in channels:
            where = f"images of {height}x{width} pixels and {count} channel(s)"
            noisy = noisy_image((1, count, height, width), 0, "cpu")
            batch = {"noisy": noisy, **level_and_target(noisy), **(batch_keys(noisy) if batch_keys else {})}
            with restored_random_state(), quiet(), tempfile.TemporaryDirectory() as folder:
                _check_fit(copy.deepcopy(denoiser), _OneBatch(batch), steps, device, where, Path(folder))


def _check_channels(denoiser: Denoiser, channels: Sequence[int]) -> None:
    for name, network in denoiser.named_children():
        if not isinstance(network, Network):
            continue
        fixed = network.arguments.get("channels", getattr(network, "channels", None))
        contract = f"{name} takes {fixed} channel(s) only: let channels default to None, or check channels=[{fixed}]"
        require(fixed is None or set(channels) <= {fixed}, denoiser, contract)


def _check_fit(denoiser: Denoiser, data: "_OneBatch", steps: int, device: str, where: str, folder: Path) -> None:
    noisy = data.batch["noisy"]
    limit = steps * max(1, len(denoiser.stages()))
    before = _Snapshot()
    trainer = lightning.Trainer(**{**HYGIENE, **accelerator(device)}, max_steps=limit, callbacks=[before])
    if denoiser.stages():
        seed_all(0)
        with keeping(denoiser, f"a fit of {limit} steps must work for {where}"):
            trainer.fit(denoiser, datamodule=data)
        learned = any(not torch.equal(before.weights[name], value.cpu()) for name, value in denoiser.named_parameters())
        require(learned, denoiser, "a fit must change the network's weights")
        answer = denoiser.cpu().eval()(noisy)
        require(answer.shape == noisy.shape, denoiser, f"calling it must give {where} for such images")
    clean = _predicted(denoiser, data, device, where)
    require(clean.shape == noisy.shape, denoiser, f"restore must return {where} for such images")
    in_range = bool(clean.isfinite().all()) and clean.min() >= 0 and clean.max() <= 1
    require(in_range, denoiser, "restore must return finite values in 0..1")
    again = _predicted(denoiser, data, device, where)
    require(torch.equal(clean, again), denoiser, "the same seed must give the same prediction twice")
    if not denoiser.stages():
        return
    path = folder / "fitted.ckpt"
    with keeping(denoiser, "it must load from its checkpoint"):
        trainer.save_checkpoint(path)
        loaded = Denoiser.load(path)
    same = torch.equal(clean, _predicted(loaded, data, device, where))
    contract = "its checkpoint must give the same prediction: keep all that a fit finds in parameters or buffers"
    require(same, denoiser, contract)


def _predicted(denoiser: Denoiser, data: "_OneBatch", device: str, where: str) -> Tensor:
    seed_all(0)
    trainer = lightning.Trainer(**{**HYGIENE, **accelerator(device)})
    with keeping(denoiser, f"predict must work for {where}"):
        (clean,) = trainer.predict(denoiser, datamodule=data) or [None]
    assert isinstance(clean, Tensor), f"{type(denoiser).__name__}: predict must return one tensor for each batch"
    return clean.cpu()


class _Snapshot(lightning.Callback):
    """The weights at the start of a fit."""

    weights: dict[str, Tensor]

    @override
    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.weights = {name: value.detach().cpu().clone() for name, value in pl_module.named_parameters()}


class _OneBatch(DenoisingData):
    """The same batch at every step."""

    def __init__(self, batch: dict[str, Tensor]) -> None:
        super().__init__()
        self.batch = batch
        self.sources = [None]

    @override
    def keys(self) -> set[str]:
        return set(self.batch)

    @override
    def prepare(self, stage: str) -> tuple[int, int, int]:
        channels, height, width = self.batch["noisy"].shape[1:]
        return channels, height, width

    @override
    def picture(self, index: int) -> Picture:
        return Picture.from_array(self.batch["noisy"][0].permute(1, 2, 0).numpy())

    @override
    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return DataLoader([self.batch] * 1000, batch_size=None)  # type: ignore[arg-type]  # a list is a data set too

    @override
    def predict_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return DataLoader([self.batch], batch_size=None)  # type: ignore[arg-type]  # as above
