"""Methods as users would write them in their own file; nothing in the package knows them."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, StepLR

from torchdenoise import Denoiser, DenoisingLoss, Network, Readout, SmallCNN, Stage, ZSN2NLoss
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory


def adam(parameters: Iterable[Any]) -> Optimizer:
    return AdamW(parameters, lr=2e-3, weight_decay=0.1)


def halving(optimizer: Optimizer) -> LRScheduler:
    return StepLR(optimizer, 4, 0.5)


def constant_rate(optimizer: Optimizer) -> LRScheduler:
    return ConstantLR(optimizer, factor=1.0)


# -- trained on a data set: one noisy copy is mapped to another ------------------------------------------------------


class CopyLoss(DenoisingLoss):
    requires = ("target",)

    def forward(self, denoise, batch, draws, progress):
        return {"copy": (denoise(batch["noisy"]) - batch["target"]).square().mean()}


class MyNoise2Noise(Denoiser):
    def __init__(
        self,
        network: Network | None = None,
        loss: DenoisingLoss | None = None,
        optimizer: OptimizerFactory = adam,
        scheduler: SchedulerFactory = constant_rate,
    ):
        super().__init__(optimizer, scheduler)
        self.network = network or SmallCNN(width=8)
        self.loss = loss or CopyLoss()

    def stages(self):
        return [Stage(self.network, self.loss)]


# -- two stages: the second network is trained on the first one's result -----------------------------------------------


class GuidedLoss(DenoisingLoss):
    requires = ("guide",)

    def __init__(self, jitter: float = 0.05):
        self.jitter = jitter

    def draw(self, batch, generator):
        noisy = batch["noisy"]
        return {"jitter": self.jitter * torch.randn(noisy.shape, generator=generator, device=noisy.device)}

    def forward(self, denoise, batch, draws, progress):
        denoised = denoise(batch["noisy"] + (1 - progress) * draws["jitter"])
        return {"guided": (denoised - batch["guide"]).square().mean()}


class Relay(Denoiser):
    def __init__(self, first: Network | None = None, second: Network | None = None, share: float = 0.5):
        super().__init__(adam, halving)
        self.first = first or SmallCNN(width=6)
        self.second = second or SmallCNN(width=6, residual=False)
        self.share = share

    def stages(self):
        return [Stage(self.first, ZSN2NLoss(), self.share), Stage(self.second, GuidedLoss(), 1 - self.share)]


# -- the second stage depends on what the first one found --------------------------------------------------------------


class Handover(Denoiser):
    """Its second stage trains on the first one's result, blended with noise by how much the first one removed."""

    def __init__(self, network: Network | None = None):
        super().__init__()  # the default optimizer and schedule
        self.network = network or SmallCNN(width=6)
        self.second = self.network.rebuilt()
        self.register_buffer("removed", torch.tensor(torch.nan))

    def stages(self):
        return [Stage(self.network, ZSN2NLoss()), Stage(self.second, CopyLoss())]

    def enter_stage(self, index, noisy, transformed):
        if index == 1:
            guide = self.context(noisy).stage_inputs(index, self.stages)["guide"]
            self.removed.copy_((guide - transformed).std())

    def loss_batch(self, batch, index):
        seen = super().loss_batch(batch, index)
        if index == 0:
            return seen
        generator = torch.Generator().manual_seed(self.seed + self.plan.bounds[1])
        noise = self.removed * torch.randn(seen["noisy"].shape, generator=generator)
        return {**seen, "noisy": seen["guide"] + noise, "target": seen["guide"]}


# -- a prior: the network sees only the shape of the picture, and fits it from a fixed code ---------------------------


class CodeToImage(Network):
    multiple = 4
    minimum = 8
    code_channels = 4

    def __init__(self, channels: int | None = None, width: int = 8, seed: int = 0):
        super().__init__()
        self.channels = channels or 3
        self.seed = seed
        self.layers = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(self.code_channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(width, self.channels, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, image, jitter=None):
        shape = (len(image), self.code_channels, *image.shape[-2:])
        code = torch.rand(shape, generator=Generator().manual_seed(self.seed)).to(image)
        return self.layers(code if jitter is None else code + jitter)


class JitterLoss(DenoisingLoss):
    def __init__(self, sigma: float = 0.03):
        self.sigma = sigma

    def draw(self, batch, generator):
        noisy = batch["noisy"]
        shape = (len(noisy), CodeToImage.code_channels, *noisy.shape[-2:])
        return {"jitter": self.sigma * torch.randn(shape, generator=generator, device=noisy.device)}

    def forward(self, denoise, batch, draws, progress):
        return {"fit": (denoise(batch["noisy"], jitter=draws["jitter"]) - batch["noisy"]).square().mean()}


class RunningMean(Readout):
    """The exponential mean of the network's outputs during the fit."""

    def __init__(self, keep: float = 0.9):
        super().__init__()
        self.keep = keep
        self.mean = None

    def observe(self, denoise, noisy, output):
        self.mean = output if self.mean is None else self.keep * self.mean + (1 - self.keep) * output

    def forward(self, denoise, noisy, generator):
        return denoise(noisy) if self.mean is None else self.mean

    def get_extra_state(self):
        return self.mean

    def set_extra_state(self, state):
        self.mean = state


class Prior(Denoiser):
    def __init__(
        self,
        network: Network | None = None,
        loss: DenoisingLoss | None = None,
        readout: Readout | None = None,
    ):
        super().__init__(adam, constant_rate, readout or RunningMean())
        self.network = network or CodeToImage()
        self.loss = loss or JitterLoss()

    def stages(self):
        return [Stage(self.network, self.loss)]
