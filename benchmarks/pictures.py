"""Images side by side, a photograph in the public domain (a cat, from scikit-image), and a noisy ramp."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

TOP, LEFT, SIDE = 22, 110, 256  # the cat's face
GAP = 6


def example() -> "NDArray":
    """Return the 256x256 photograph, 8 bits."""
    from skimage.data import chelsea

    return chelsea()[TOP : TOP + SIDE, LEFT : LEFT + SIDE]


def write_noisy_ramp(path: Path, side: int) -> None:
    """Write a ramp in colour with Gaussian noise of level 25, 8 bits."""
    import numpy as np

    from torchdenoise.data import Picture, write_picture

    ramp = np.linspace(60, 190, side)[None, :, None] + np.random.default_rng(0).normal(0, 25, (side, side, 3))
    picture = Picture.from_array(ramp.clip(0, 255).astype(np.uint8))
    write_picture(path, picture.image, picture)


def side_by_side(images: dict[str, "Tensor"], path: Path) -> None:
    """Write images ``(1, C, H, W)`` of one size in a row, each below its caption."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = next(iter(images.values())).shape[-2:]
    font = ImageFont.load_default(max(13, height // 20))
    head = int(2 * font.size)
    sheet = Image.new("RGB", (len(images) * (width + GAP) - GAP, head + height), "white")
    for column, (caption, image) in enumerate(images.items()):
        left = column * (width + GAP)
        pixels = image[0].expand(3, -1, -1).permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()
        sheet.paste(Image.fromarray(pixels), (left, head))
        ImageDraw.Draw(sheet).text((left + width // 2, head // 2), caption, "black", font, anchor="mm")
    sheet.save(path)
