"""scikit-image, a stack: non-local means frame by frame; tifffile keeps what the file says."""

import numpy as np
import tifffile
from skimage.restoration import denoise_nl_means, estimate_sigma

with tifffile.TiffFile("noisy.tif") as file:
    noisy = file.asarray()
    tags, notes = file.pages[0].tags, file.imagej_metadata
    resolution = tags["XResolution"].value, tags["YResolution"].value
    metadata = {"axes": file.series[0].axes, "unit": notes["unit"], "finterval": notes["finterval"]}
clean = np.empty_like(noisy)
for number, frame in enumerate(noisy.astype(float)):
    sigma = estimate_sigma(frame)
    result = denoise_nl_means(frame, h=0.6 * sigma, sigma=sigma, patch_size=5, patch_distance=6)
    clean[number] = result.round().clip(0, 65535)
tifffile.imwrite("clean.tif", clean, imagej=True, resolution=resolution, metadata=metadata)
