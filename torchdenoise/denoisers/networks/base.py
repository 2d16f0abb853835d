"""What every network is: image to image, and honest about the sizes it takes."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from torchdenoise.registry import Registered


class Network(Registered, nn.Module, ABC, kind="networks"):
    """An ``nn.Module`` from an image ``(B, C, H, W)`` to a denoised image of the same shape.

    Whether it predicts the noise or the image is its own business. A subclass takes ``channels: int | None = None``
    as its first argument and builds itself for ``channels or 3``: None means "as many as the pictures have", and the
    Denoiser builds the network again when they turn out to have another number.

    Example:
        >>> class Identity(Network):
        ...     def __init__(self, channels: int | None = None) -> None:
        ...         super().__init__()
        ...         self.channels = channels or 3
        ...         self.gain = nn.Parameter(torch.ones(1))
        ...     def forward(self, image):
        ...         return self.gain * image
        >>> Identity()(torch.ones(1, 3, 2, 2)).shape
        torch.Size([1, 3, 2, 2])
    """

    channels: int
    multiple: ClassVar[int] = 1
    """Height and width must be multiples of this; the Denoiser pads by reflection and crops back."""
    minimum: ClassVar[int] = 1
    """The smallest height and width that the network takes, after padding."""
    reach: int | None = None
    """How many pixels away what a pixel's result depends on may lie; None if nobody worked it out."""

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised image."""
