"""What is found in a picture: its noise, the recipes that suit it, and the one that ``auto`` takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from torchdenoise.fitting import Options
from torchdenoise.fitting.choosing import Choice, choose
from torchdenoise.fitting.frames import FrameGroup
from torchdenoise.inspection.inspecting import Inspection, inspect_noise
from torchdenoise.inspection.sampling import sampled
from torchdenoise.inspection.suitability import Suitability, suitable_recipes
from torchdenoise.inspection.wording import in_words
from torchdenoise.noise import ValueRange


@dataclass(frozen=True, eq=False)
class Findings:
    """What is found in a picture, or in frames that share their noise."""

    image: Tensor
    """That was inspected: a picture, or some frames below each other."""
    inspection: Inspection
    choice: Choice
    """The recipe that ``auto`` takes, and why; for a stack, the first frame decides."""

    @property
    def recipes(self) -> Sequence[Suitability]:
        """The recipes for a single picture with their broken assumptions, that of ``auto`` first."""
        return suitable_recipes(self.inspection, self.choice.recipe)

    def in_words(self) -> list[tuple[str, str]]:
        """Return the facts, each as a name and a text."""
        return [*in_words(self.inspection, self.recipes), ("auto", str(self.choice))]


def inspect_image(image: Tensor, values: ValueRange | None = None) -> Findings:
    """Return what is found in an image ``(1, C, H, W)`` in 0..1.

    Args:
        image: noisy.
        values: the stored values of its black and white.

    Example:
        >>> import torch
        >>> noisy = 0.5 + 0.1 * torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> inspect_image(noisy).in_words()[-1]
        ('auto', 'by fast: the trained networks are for 1 or 3 channels')
    """
    inspection = inspect_noise(image, values=values)
    return Findings(image, inspection, choose(image, Options(noise=inspection.profile)))


def inspect_frames(group: FrameGroup) -> Findings:
    """Return what is found in frames that share their noise, as ``frame_groups`` returns them.

    Raises:
        PictureError: a frame cannot be read.

    Example:
        >>> from torchdenoise.data import ArrayPlanes, Axes
        >>> from torchdenoise.fitting.frames import frame_groups
        >>> (group,) = frame_groups(ArrayPlanes(np.random.rand(2, 12, 40), Axes("TYX")))
        >>> inspect_frames(group).in_words()[-1]
        ('auto', 'by fast: the picture is too small for a trial')
    """
    image, profile, values = sampled(group)
    inspection = inspect_noise(image, profile, values)
    planes = group.frames.planes
    height, *_ = planes.axes.plane_shape(planes.shape)
    choice = choose(image[..., :height, :], Options(noise=group.noise or inspection.profile))
    return Findings(image, inspection, choice)
