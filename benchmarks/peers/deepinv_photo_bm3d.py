"""deepinv, a photograph: estimated level and BM3D, after the example "Blind denoising"; needs no weights."""

import deepinv as dinv
from torchvision.utils import save_image

noisy = dinv.utils.load_image("noisy.png")
sigma = dinv.models.PatchCovarianceNoiseEstimator()(noisy)
save_image(dinv.models.BM3D()(noisy, sigma), "clean.png")
