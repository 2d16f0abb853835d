"""The base class of every network: image to image, with the sizes it takes."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from typing_extensions import override

from torchdenoise.registry import Registered


class Network(Registered, nn.Module, ABC, kind="networks"):
    """An ``nn.Module`` from an image ``(B, C, H, W)`` to a denoised image of the same shape.

    It may predict the image or the noise internally; it returns the image. A subclass takes
    ``channels: int | None = None`` as its first argument, builds itself for ``channels or 3`` and sets
    ``self.channels``. None means "as many as the images have": the Denoiser rebuilds the network if that is not 3.

    Keep constructor arguments that are objects as attributes of the same name: checkpoints describe them from there.

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
    """Radius of the receptive field in pixels; None if it is unknown, and then large images are not tiled."""

    @override
    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Return the denoised image."""
