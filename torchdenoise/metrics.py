"""PSNR and SSIM as papers print them: for each image, all channels, data range 1."""

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

SSIM_WINDOW = 11


def psnr(image: Tensor, clean: Tensor) -> Tensor:
    """Return the PSNR in dB of each image of ``(B, C, H, W)``, as ``(B,)``; both clamped to 0..1 by the caller.

    torchmetrics' default pools the errors of all images into one number, which is not what papers print.

    Example:
        >>> psnr(torch.full((1, 1, 2, 2), 0.1), torch.zeros(1, 1, 2, 2)).round(decimals=2)
        tensor([20.])
    """
    return torch.stack(
        [peak_signal_noise_ratio(one, other, data_range=1.0) for one, other in zip(image, clean, strict=True)]
    )


def ssim(image: Tensor, clean: Tensor) -> Tensor:
    """Return the SSIM of each image of ``(B, C, H, W)``, as ``(B,)``; NaN for images smaller than its window.

    Gaussian window 11x11 with sigma 1.5, valid area only, K1 0.01, K2 0.03, mean over channels (Wang et al. 2004).

    Example:
        >>> ssim(torch.ones(1, 1, 16, 16), torch.ones(1, 1, 16, 16))
        tensor([1.])
    """
    if min(image.shape[-2:]) < SSIM_WINDOW:
        return torch.full((image.shape[0],), float("nan"))
    _, everywhere = structural_similarity_index_measure(
        image, clean, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    border = SSIM_WINDOW // 2  # torchmetrics' own mean takes in the border, where its window meets reflected pixels
    return everywhere[..., border:-border, border:-border].mean((-3, -2, -1))
