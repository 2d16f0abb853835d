"""Self2Self's network: a U-Net that takes a mask of its input and keeps dropout on at inference."""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from torchdenoise.denoisers.networks.base import Network
from torchdenoise.errors import UserError

SLOPE = 0.1
"""Of the LeakyReLU."""


class PartialUNet(Network, source="Quan et al., Self2Self, CVPR 2020"):
    """Noise2Noise's U-Net with partial convolutions in the encoder and dropout in the decoder; 991,203 parameters.

    3x3 convolutions with LeakyReLU 0.1, five poolings, nearest upsampling, a final sigmoid; Xavier initialisation in
    the encoder, He initialisation in the decoder, zero biases. Dropout precedes every decoder convolution, in
    evaluation mode too, where it creates the ensemble.

    Differences from the published code: it pads its partial convolutions twice, which shifts feature maps against their
    skips, omits the number of channels from the normaliser, and pads the decoder by replication. Here maps stay
    aligned, the normaliser is the visible share of the window's values, with the border counted as hidden, and padding
    is zero.

    Args:
        channels: of the images; None takes them from the data. The number of parameters above is for colour.
        width: encoder channels (48 in the paper); the decoder has twice as many, and 4/3 and 2/3 in its last layers.
        dropout: probability of dropping a value.

    Raises:
        UserError: a width below 2 or a dropout outside 0..1.

    Example:
        >>> network, image = PartialUNet(1, width=6).eval(), torch.rand(1, 1, 32, 64)
        >>> mask, seed = (image > 0.3).float(), torch.tensor(7)
        >>> torch.equal(network(image, mask=mask, seed=seed), network(image, mask=mask, seed=seed))
        True
        >>> torch.equal(network(image), network(image))
        False
    """

    multiple: ClassVar[int] = 32

    def __init__(self, channels: int | None = None, width: int = 48, dropout: float = 0.3) -> None:
        super().__init__()
        if width < 2 or not 0 <= dropout < 1:
            raise UserError(
                f"PartialUNet: width {width} must be at least 2 and dropout {dropout} at least 0 and below 1"
            )
        self.channels = channels or 3
        self.dropout = dropout
        self.down = nn.ModuleList(PartialConv2d(before, width) for before in [self.channels] + [width] * 6)
        self.up = nn.ModuleList()
        before, wide = width, 2 * width
        for skip, first, second in [(width, wide, wide)] * 4 + [(self.channels, 4 * width // 3, 2 * width // 3)]:
            self.up += [nn.Conv2d(before + skip, first, 3, padding=1), nn.Conv2d(first, second, 3, padding=1)]
            before = second
        self.last = nn.Conv2d(before, self.channels, 3, padding=1)
        for layer in self.down:
            assert isinstance(layer, PartialConv2d)
            nn.init.xavier_uniform_(layer.convolution.weight)
        for layer in self.up:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
        nn.init.kaiming_normal_(self.last.weight, nonlinearity="linear")
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.zeros_(module.bias)

    @override
    def forward(self, image: Tensor, mask: Tensor | None = None, seed: Tensor | None = None) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` image in 0..1; sides are multiples of 32.

        Args:
            image: the noisy image.
            mask: ``(B, C, H, W)``, 0 where a value of the image is hidden and 1 elsewhere; None hides nothing.
            seed: integer seed of the dropout; None draws from PyTorch's global random state.
        """
        generator = None if seed is None else Generator(image.device).manual_seed(int(seed))
        mask = torch.ones_like(image) if mask is None else mask
        features = image * mask
        skips = [features]
        first, *middle, last = self.down
        features, mask = first(features, mask)
        for layer in middle:
            features, mask = (F.max_pool2d(each, 2) for each in layer(features, mask))
            skips.append(features)
        features, _ = last(skips.pop(), mask)
        for pair in zip(self.up[::2], self.up[1::2], strict=True):
            features = torch.cat([F.interpolate(features, scale_factor=2), skips.pop()], dim=1)
            for layer in pair:
                features = F.leaky_relu(layer(self._dropout(features, generator)), SLOPE)
        predicted: Tensor = self.last(self._dropout(features, generator))
        return predicted.sigmoid()

    def _dropout(self, features: Tensor, generator: Generator | None) -> Tensor:
        uniform = torch.rand(features.shape, generator=generator, device=features.device)
        return features * (uniform >= self.dropout) / (1 - self.dropout)


class PartialConv2d(nn.Module):
    """A 3x3 convolution over visible values (Liu et al., ECCV 2018), followed by LeakyReLU 0.1.

    With a mask ``m``, weights ``W``, bias ``b`` and ``n`` values in a window, ``sum(m)`` of them visible::

        W (m x) n / sum(m) + b   where sum(m) > 0, and 0 elsewhere

    Values outside the image count as hidden. The new mask is 1 where ``sum(m) > 0``.

    Example:
        >>> layer = PartialConv2d(1, 2)
        >>> features, mask = layer(torch.rand(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
        >>> features.abs().max().item(), mask.max().item()
        (0.0, 0.0)
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, padding=1)

    @override
    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and their mask ``(B, 1, H, W)``; the old mask has one channel or as many as its features."""
        window = torch.ones(1, mask.shape[1], 3, 3, dtype=mask.dtype, device=mask.device)
        visible = F.conv2d(mask, window, padding=1)
        scale = window.numel() / visible.clamp(min=1)
        weighted = F.conv2d(features * mask, self.convolution.weight, padding=1) * scale
        assert self.convolution.bias is not None
        new_mask = (visible > 0).to(mask.dtype)
        return F.leaky_relu(weighted + self.convolution.bias[:, None, None], SLOPE) * new_mask, new_mask
