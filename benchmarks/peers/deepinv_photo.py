"""deepinv, a photograph: a trained network for unknown levels, after the example "Blind denoising"."""

import deepinv as dinv
import torch
from torchvision.utils import save_image

noisy = dinv.utils.load_image("noisy.png")
with torch.no_grad():
    clean = dinv.models.Restormer()(noisy)
save_image(clean, "clean.png")
