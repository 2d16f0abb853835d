"""CAREamics, a stack: Noise2Void, after its guides; tifffile keeps what the file says."""

import numpy as np
import tifffile
from careamics.careamist import CAREamist
from careamics.config.factories import create_n2v_config

config = create_n2v_config(experiment_name="stack", data_type="tiff", axes="TYX", patch_size=[64, 64], batch_size=8)
careamist = CAREamist(config)
careamist.train(train_data="noisy.tif")
(clean,), _ = careamist.predict(pred_data="noisy.tif")
with tifffile.TiffFile("noisy.tif") as file:
    tags, notes = file.pages[0].tags, file.imagej_metadata
    resolution = tags["XResolution"].value, tags["YResolution"].value
    metadata = {"axes": file.series[0].axes, "unit": notes["unit"], "finterval": notes["finterval"]}
clean = clean.round().clip(0, 65535).astype(np.uint16)
tifffile.imwrite("clean.tif", clean, imagej=True, resolution=resolution, metadata=metadata)
