"""What networks that scale a picture take from it."""

from torch import Tensor


def range_of(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the minimum of each channel and what it is from there to the maximum, each ``(1, C, 1, 1)``.

    Example:
        >>> [value.item() for value in range_of(torch.tensor([[[[2.0, 5.0]]]]))]
        [2.0, 3.0]
    """
    axes = (0, -2, -1)
    low = image.amin(axes, keepdim=True)
    return low, _positive(image.amax(axes, keepdim=True) - low)


def moments_of(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each channel, each ``(1, C, 1, 1)``.

    Example:
        >>> [value.item() for value in moments_of(torch.tensor([[[[2.0, 4.0]]]]))]
        [3.0, 1.0]
    """
    axes = (0, -2, -1)
    return image.mean(axes, keepdim=True), _positive(image.std(axes, correction=0, keepdim=True))


def _positive(span: Tensor) -> Tensor:
    return span.clamp(min=1e-6)  # a channel of one value has none
