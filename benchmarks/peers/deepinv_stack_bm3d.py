"""deepinv, a stack: estimated levels and BM3D frame by frame; needs no weights."""

import deepinv as dinv
import tifffile
import torch

with tifffile.TiffFile("noisy.tif") as file:
    noisy = torch.from_numpy(file.asarray().astype("float32"))[:, None]
    tags, notes = file.pages[0].tags, file.imagej_metadata
    resolution = tags["XResolution"].value, tags["YResolution"].value
    metadata = {"axes": file.series[0].axes, "unit": notes["unit"], "finterval": notes["finterval"]}
scale = noisy.max()
sigma = dinv.models.PatchCovarianceNoiseEstimator()(noisy / scale)
clean = dinv.models.BM3D()(noisy / scale, sigma) * scale
clean = clean[:, 0].round().clamp(0, 65535).numpy().astype("uint16")
tifffile.imwrite("clean.tif", clean, imagej=True, resolution=resolution, metadata=metadata)
