"""What a result is measured by: PSNR and SSIM as papers print them, and what can be measured without a clean image.

A new metric is one class, here or in a file of the user's; ``compare``, ``test`` and ``list`` then have it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from typing_extensions import override

from torchdenoise.errors import UserError
from torchdenoise.registry import Registered, all_classes, entries

SSIM_WINDOW = 11
MEASURED_LEVEL = "measured_level"
"""Batch key of the noise level that was measured in the noisy image, ``(B,)`` on the 0-255 scale."""


class Metric(Registered, ABC, kind="metrics"):
    """One number for each result. Its short name is the column in ``results.csv``, its docstring's first line the hint.

    Example:
        >>> class MeanError(Metric, name="mae"):
        ...     "Mean absolute error over all channels."
        ...     heading, digits, higher_is_better, requires = "MAE", 4, False, ("clean",)
        ...     def __call__(self, result, batch):
        ...         return (result - batch["clean"]).abs().mean((1, 2, 3))
        >>> image = torch.zeros(2, 1, 16, 16)
        >>> scores(image, {"noisy": image, "clean": image + 0.5})["mae"]
        tensor([0.5000, 0.5000])
    """

    heading: ClassVar[str] = ""
    """The heading of its column in tables; the short name unless given."""
    digits: ClassVar[int] = 3
    """Decimals in tables."""
    higher_is_better: ClassVar[bool | None] = None
    """None: neither high nor low is better."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Batch keys that it needs beyond ``noisy``. One that needs ``clean`` is computed for the noisy image, too;
    ``measured_level``, the noise level on the 0-255 scale, is there where ``compare`` has no clean image."""

    _only: ClassVar["Metric"]

    @abstractmethod
    def __call__(self, result: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the metric of each image as ``(B,)``.

        Args:
            result: denoised images ``(B, C, H, W)`` in 0..1.
            batch: ``noisy``, and ``clean`` where there is one, of the same shape.
        """


class PSNR(Metric, name="psnr", source="Hore and Ziou, ICPR 2010"):
    """Peak signal-to-noise ratio in dB, over all channels."""

    heading, digits, higher_is_better, requires = "PSNR", 2, True, ("clean",)

    @override
    def __call__(self, result: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return psnr(result, batch["clean"])


class SSIM(Metric, name="ssim", source="Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 2004"):
    """Structural similarity: 11x11 Gaussian window with sigma 1.5, mean over channels."""

    heading, digits, higher_is_better, requires = "SSIM", 3, True, ("clean",)

    @override
    def __call__(self, result: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return ssim(result, batch["clean"])


class Removed(Metric, name="removed", source="method noise, Buades, Coll and Morel, CVPR 2005"):
    """Standard deviation of noisy minus result, on the 0-255 scale."""

    heading, digits = "removed", 2

    @override
    def __call__(self, result: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return 255 * (batch["noisy"] - result).flatten(1).std(1)


class RemovedShare(Metric, name="removed_share", source="method noise, Buades, Coll and Morel, CVPR 2005"):
    """Standard deviation of noisy minus result, in measured noise levels: 1 if as much is gone as there is noise."""

    heading, digits, requires = "removed / noise", 2, (MEASURED_LEVEL,)

    @override
    def __call__(self, result: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return 255 * (batch["noisy"] - result).flatten(1).std(1) / batch[MEASURED_LEVEL]


class MeanShift(Metric, name="mean_shift", source="method noise, Buades, Coll and Morel, CVPR 2005"):
    """Mean of result minus mean of noisy, in measured noise levels: 0 if the brightness is kept."""

    heading, digits, requires = "mean shift", 3, (MEASURED_LEVEL,)

    @override
    def __call__(self, result: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return 255 * (result - batch["noisy"]).mean((1, 2, 3)) / batch[MEASURED_LEVEL]


class Correlation(Metric, name="correlation", source="method noise, Buades, Coll and Morel, CVPR 2005"):
    """Correlation of neighbouring pixels of noisy minus result: near 0 if only pixel-wise independent noise is gone."""

    heading, digits = "correlation", 2

    @override
    def __call__(self, result: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        removed = 255 * (batch["noisy"] - result)
        centred = removed - removed.mean((-2, -1), keepdim=True)
        across = (centred[..., :-1] * centred[..., 1:]).mean((1, 2, 3))
        down = (centred[..., :-1, :] * centred[..., 1:, :]).mean((1, 2, 3))
        return (across + down) / 2 / centred.square().mean((1, 2, 3)).clamp(min=1e-12)


def all_metrics() -> dict[str, Metric]:
    """Return short name -> metric for all registered ones, in the order of their definition."""
    current = set(entries(Metric).values())  # type: ignore[type-abstract]
    return {cls.short_name: _made(cls) for cls in all_classes() if issubclass(cls, Metric) and cls in current}


def _made(cls: type[Metric]) -> Metric:
    """Return the only object of a class, which the class keeps: a class that nobody knows any more goes with it."""
    if "_only" not in vars(cls):
        cls._only = cls()  # once: it may load weights
    return cls._only


def scores(result: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return short name -> ``(B,)`` of every metric whose keys the batch has.

    Raises:
        UserError: a metric that does not return one value for each image.
    """
    found = {}
    for name, metric in all_metrics().items():
        if all(key in batch for key in metric.requires):
            found[name] = metric(result, batch)
            if not isinstance(found[name], Tensor) or found[name].shape != result.shape[:1]:
                raise UserError(f"{type(metric).__name__} must return a tensor with one value for each image")
    return found


def psnr(image: Tensor, clean: Tensor) -> Tensor:
    """Return the PSNR in dB of each image of ``(B, C, H, W)``, as ``(B,)``; both clamped to 0..1 by the caller.

    torchmetrics' default pools the errors of all images into one number, which is not what papers print.

    Example:
        >>> psnr(torch.full((1, 1, 2, 2), 0.1), torch.zeros(1, 1, 2, 2)).round(decimals=2)
        tensor([20.])
    """
    return peak_signal_noise_ratio(image, clean, data_range=1.0, dim=(1, 2, 3), reduction="none")


def ssim(image: Tensor, clean: Tensor) -> Tensor:
    """Return the SSIM of each image of ``(B, C, H, W)``, as ``(B,)``; NaN for images smaller than its window.

    Gaussian window 11x11 with sigma 1.5, valid area only, K1 0.01, K2 0.03, mean over channels (Wang et al. 2004).

    Example:
        >>> ssim(torch.ones(1, 1, 16, 16), torch.ones(1, 1, 16, 16))
        tensor([1.])
    """
    if min(image.shape[-2:]) < SSIM_WINDOW:
        return torch.full((image.shape[0],), float("nan"))
    _, per_pixel = structural_similarity_index_measure(
        image, clean, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    border = SSIM_WINDOW // 2  # torchmetrics' own mean includes the border, where its window covers padding
    return per_pixel[..., border:-border, border:-border].mean((-3, -2, -1))
