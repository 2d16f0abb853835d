"""Short fits that the tests of this folder share: tiny images, a small network and losses that record."""

import lightning
import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import ZSN2N, Denoiser, DenoisingLoss, SmallCNN, Stage
from torchdenoise.denoisers.parts.losses import mse
from torchdenoise.fitting import HYGIENE


def picture(channels=3, seed=0):
    return torch.rand(1, channels, 8, 9, generator=torch.Generator().manual_seed(seed))


def trainer(steps=2, **options):
    return lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": steps, **options})


def data(image=None, **options):
    module = SingleImage(**options)
    module.use(picture() if image is None else image)
    return module


def fit(model, image=None, steps=2, **options):
    used = trainer(steps, **options)
    used.fit(model, datamodule=data(image))
    return used


class Plain(DenoisingLoss):
    """Draws a number, and keeps what it sees."""

    def __init__(self):
        self.seen = []

    def draw(self, batch, generator):
        return {"number": torch.rand((), generator=generator)}

    def forward(self, denoise, batch, draws, progress):
        denoised = denoise(batch["noisy"])
        self.seen.append({**batch, **draws, "denoised": denoised, "autocast": torch.is_autocast_enabled("cpu")})
        return {"fit": mse(denoised, draws["number"] * batch["noisy"])}


class Paired(DenoisingLoss):
    requires = ("target",)

    def forward(self, denoise, batch, draws, progress):
        return {"fit": mse(denoise(batch["noisy"]), batch["target"])}


class TwoStages(Denoiser):
    def __init__(self, first=None, second=None, loss=None, network_rate=1e-3):
        super().__init__(
            lambda parameters: Adam(parameters, lr=network_rate), lambda optimizer: StepLR(optimizer, 1, 0.5)
        )
        self.first, self.second = first or SmallCNN(width=2), second
        self.loss = loss or Plain()
        self.network_rate = network_rate

    def stages(self):
        return [Stage(self.first, Plain()), Stage(self.second or self.first, self.loss)]


class Specialised(ZSN2N):
    pass


def small(channels=None, **options):
    return ZSN2N(SmallCNN(channels, width=5), **options)
