"""torchdenoise, your own loss: one half of the picture predicts the other."""

import numpy as np
from PIL import Image

from torchdenoise import DenoisingLoss, DiagonalDownsampler, denoise


class Charbonnier(DenoisingLoss):
    """A smooth absolute difference."""

    def forward(self, denoise, batch, draws, progress):
        """Return the loss by name."""
        first, second = DiagonalDownsampler().pair(batch["noisy"], {})
        return {"charbonnier": ((denoise(first) - second).square() + 1e-4).sqrt().mean()}


noisy = np.asarray(Image.open("noisy.png"))
Image.fromarray(denoise(noisy, "fast", loss=Charbonnier())).save("clean.png")
