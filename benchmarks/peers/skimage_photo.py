"""scikit-image, a photograph: non-local means, after the example "Non-local means denoising"."""

from skimage import img_as_float, img_as_ubyte, io
from skimage.restoration import denoise_nl_means, estimate_sigma

noisy = img_as_float(io.imread("noisy.png"))
sigma = estimate_sigma(noisy, average_sigmas=True, channel_axis=-1)
clean = denoise_nl_means(noisy, h=0.6 * sigma, sigma=sigma, patch_size=5, patch_distance=6, channel_axis=-1)
io.imsave("clean.png", img_as_ubyte(clean))
