"""torchdenoise, a photograph: the default recipe."""

import numpy as np
from PIL import Image

from torchdenoise import denoise

noisy = np.asarray(Image.open("noisy.png"))
Image.fromarray(denoise(noisy)).save("clean.png")
