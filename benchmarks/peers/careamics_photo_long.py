"""CAREamics, a photograph: Noise2Void, as many epochs as its example "BSD68"."""

import numpy as np
from careamics.careamist import CAREamist
from careamics.config.factories import create_n2v_config
from PIL import Image

noisy = np.asarray(Image.open("noisy.png"), np.float32)
config = create_n2v_config(
    experiment_name="photo", data_type="array", axes="YXC", patch_size=[64, 64],
    batch_size=8, n_channels=3, num_epochs=100,
)  # fmt: skip
careamist = CAREamist(config)
careamist.train(train_data=noisy)
(clean,), _ = careamist.predict(pred_data=noisy)
Image.fromarray(clean.round().clip(0, 255).astype(np.uint8).reshape(noisy.shape)).save("clean.png")
