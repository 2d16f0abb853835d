"""ZS-N2M, Zero-Shot Noise2Mean: Liu, Shi et al., AAAI 2025.

Implemented from the paper's equations; we know of no code by its authors.
"""

import functools
from collections.abc import Mapping

import torch
from kornia.color import rgb_to_grayscale
from kornia.filters import box_blur
from torch import Generator, Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR, LRScheduler
from typing_extensions import override

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.networks import GRDNet, Network, SmallCNN
from torchdenoise.denoisers.parts.crops import OnCrops
from torchdenoise.denoisers.parts.downsamplers import Downsampler, RandomMaskDownsampler, cells
from torchdenoise.denoisers.parts.losses import Batch, Denoise, DenoisingLoss, Terms, mse
from torchdenoise.denoisers.parts.muon import Muon
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.single_stage import MethodDefaults, SingleStage
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.errors import UserError
from torchdenoise.noise.assumptions import Assumption

SOURCE = "Liu, Shi et al., Zero-Shot Noise2Mean, AAAI 2025"


def local_mean(image: Tensor, window: int) -> Tensor:
    """Return the mean over ``window x window`` around each pixel; borders are reflected, or replicated if too small.

    Example:
        >>> local_mean(torch.ones(1, 1, 8, 8), 5).mean().item()
        1.0
    """
    border = "reflect" if min(image.shape[-2:]) > window // 2 else "replicate"
    blurred: Tensor = box_blur(image, window, border)
    return blurred


def contrast_map(first: Tensor, second: Tensor, constant: float, window: int) -> Tensor:
    """Return eq. 4's map ``d = 2 s1 s2 / (s1^2 + s2^2 + C)`` as ``(B, 1, H, W)``, from local luminance deviations.

    Example:
        >>> contrast_map(torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8), 0.01, 5).max() < 1e-5
        tensor(True)
    """
    deviations = []
    for image in (first, second):
        grey = rgb_to_grayscale(image) if image.shape[-3] == 3 else image.mean(-3, keepdim=True)
        variance = local_mean(grey.square(), window) - local_mean(grey, window).square()
        deviations.append((variance.clamp(min=0) + 1e-9).sqrt())  # a finite gradient where it is flat
    s1, s2 = deviations
    return 2 * s1 * s2 / (s1.square() + s2.square() + constant)


def interactive_equality(first: Tensor, second: Tensor, first_of_full: Tensor, second_of_full: Tensor) -> Tensor:
    """Return eq. 2: each denoised half against the *other* half of the denoised full image."""
    return mse(first, second_of_full) + mse(second, first_of_full)


def cross_mapping(first: Tensor, second: Tensor, noisy_first: Tensor, noisy_second: Tensor) -> Tensor:
    """Return eq. 3: each denoised half against the other noisy half."""
    return mse(first, noisy_second) + mse(second, noisy_first)


def interactive_denoising(
    first: Tensor, second: Tensor, constant: float, window: int = 5, through_map: bool = True
) -> Tensor:
    """Return eq. 4: it draws both denoised halves to their local means where the map shows no structure.

    Example:
        >>> flat = torch.full((1, 3, 8, 8), 0.5)
        >>> interactive_denoising(flat, flat, constant=0.01).item() < 1e-12
        True
    """
    kept = contrast_map(first, second, constant, window)
    kept = kept if through_map else kept.detach()
    excess = [((1 - kept) * (image - local_mean(image, window))).square().mean() for image in (first, second)]
    return excess[0] + excess[1]


class ZSN2MLoss(DenoisingLoss, source=f"{SOURCE}, eq. 2 to 4"):
    """ZS-N2M's first loss: denoised halves should agree, and be flat where both are flat.

    Each step passes the two halves, as one batch, and the full image through the network; means, not sums, over pixels.

    Args:
        equality_weight: alpha_ie; 1 for synthetic noise, 10 for real noise; a larger one smooths more.
        mapping_weight: alpha_cm.
        denoising_weight: alpha_id.
        constant: C of the map, for images in 0..1; the paper does not give it.
        window: side of the local statistics.
        through_map: let the gradient pass through the map.
        downsampler: makes the halves; random masks by default.

    Example:
        >>> batch = {"noisy": torch.rand(1, 3, 16, 16)}
        >>> loss = ZSN2MLoss()
        >>> sorted(loss(lambda image: image, batch, loss.draw(batch, torch.Generator()), 0.0))
        ['cross_mapping', 'interactive_denoising', 'interactive_equality']
    """

    def __init__(
        self,
        equality_weight: float = 1.0,
        mapping_weight: float = 5.0,
        denoising_weight: float = 10.0,
        constant: float = 0.01,
        window: int = 5,
        through_map: bool = True,
        downsampler: Downsampler | None = None,
    ) -> None:
        self.equality_weight = equality_weight
        self.mapping_weight = mapping_weight
        self.denoising_weight = denoising_weight
        self.constant = constant
        self.window = window
        self.through_map = through_map
        self.downsampler = downsampler or RandomMaskDownsampler()

    @override
    def draw(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the mask."""
        return self.downsampler.draw(batch["noisy"], generator)

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the weighted terms; one with weight 0 is left out with its passes."""
        noisy = batch["noisy"]
        halves = self.downsampler.pair(noisy, dict(draws))
        first, second = denoise(torch.cat(halves)).chunk(2)
        terms = {"cross_mapping": self.mapping_weight * cross_mapping(first, second, *halves)}
        if self.equality_weight:
            of_full = self.downsampler.pair(denoise(noisy), dict(draws))
            terms["interactive_equality"] = self.equality_weight * interactive_equality(first, second, *of_full)
        if self.denoising_weight:
            excess = interactive_denoising(first, second, self.constant, self.window, self.through_map)
            terms["interactive_denoising"] = self.denoising_weight * excess
        return terms


class GRDLoss(DenoisingLoss, source=f"{SOURCE}, eq. 5 and 6"):
    """ZS-N2M's second loss: maps the noisy 2x2 means to those of the first network's result, plus consistency.

    With ``A`` the 2x2 mean and the first network's result ``g`` (the batch's ``guide``)::

        reconstruction = mse(h(A y), A g)        consistency = mse(A h(y), A g)

    Args:
        reconstruction_weight: beta_re.
        consistency_weight: beta_con.

    Example:
        >>> noisy = torch.rand(1, 3, 8, 8)
        >>> terms = GRDLoss()(lambda image: image, {"noisy": noisy, "guide": noisy}, {}, 0.0)
        >>> sum(terms.values()).item()
        0.0
    """

    requires = ("guide",)

    def __init__(self, reconstruction_weight: float = 100.0, consistency_weight: float = 1000.0) -> None:
        self.reconstruction_weight = reconstruction_weight
        self.consistency_weight = consistency_weight

    @override
    def forward(self, denoise: Denoise, batch: Batch, draws: Mapping[str, Tensor], progress: float) -> Terms:
        """Return the two weighted terms."""
        noisy, target = batch["noisy"], cell_mean(batch["guide"])
        return {
            "reconstruction": self.reconstruction_weight * mse(denoise(cell_mean(noisy)), target),
            "consistency": self.consistency_weight * mse(cell_mean(denoise(noisy)), target),
        }


def cell_mean(image: Tensor) -> Tensor:
    """Return the means of 2x2 cells, at half size.

    Example:
        >>> cell_mean(torch.arange(4.0).view(1, 1, 2, 2)).item()
        1.5
    """
    return torch.stack(cells(image)).mean(0)


def linear_1000(optimizer: Optimizer) -> LRScheduler:
    """Return the schedule that takes the learning rate linearly to zero in 1000 steps."""
    return LinearLR(optimizer, 1.0, 0.0, 1000)


class ZSN2MStar(SingleStage, source=SOURCE):
    """ZS-N2M's first network, MBD-Net, alone: the paper's ZS-N2M*.

    Example:
        >>> sum(p.numel() for p in ZSN2MStar().parameters())
        22275
    """

    assumes = (Assumption.INDEPENDENT,)
    defaults = MethodDefaults(network=SmallCNN, loss=ZSN2MLoss)


class ZSN2M(Denoiser, source=SOURCE):
    """ZS-N2M: MBD-Net, then GRD-Net, a U-Net of 2.7 M parameters, on the first one's frozen result.

    The defaults are those of recipe ``zsn2m``.

    Args:
        network: the first network; ``SmallCNN()`` by default.
        refiner: the second network; ``GRDNet(residual=False)`` by default.
        loss: of the first; ``ZSN2MLoss()`` by default.
        refiner_loss: of the second; ``GRDLoss()`` on crops by default.
        share: of the steps that the first network takes.
        optimizer: of the first; Adam with learning rate 1e-3 by default.
        scheduler: of the first; the learning rate halves every 1000 steps by default.
        refiner_optimizer: of the second; Muon with learning rate 0.005 by default.
        refiner_scheduler: of the second, counted from its first step; linear decay to zero by default.
        readout: one pass by default.

    Example:
        >>> ZSN2M()(torch.rand(1, 3, 9, 8)).shape
        torch.Size([1, 3, 9, 8])
    """

    left_out = (*Denoiser.left_out, "refiner_optimizer", "refiner_scheduler")
    assumes = (Assumption.INDEPENDENT,)

    def __init__(
        self,
        network: Network | None = None,
        refiner: Network | None = None,
        loss: DenoisingLoss | None = None,
        refiner_loss: DenoisingLoss | None = None,
        share: float = 0.6666667,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        refiner_optimizer: OptimizerFactory | None = None,
        refiner_scheduler: SchedulerFactory | None = None,
        readout: Readout | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, readout)
        if not 0 < share < 1:
            raise UserError(f"ZSN2M: share {share} must lie between 0 and 1")
        self.network = network or SmallCNN()
        self.refiner = refiner or GRDNet(residual=False)
        self.loss = loss or ZSN2MLoss()
        self.refiner_loss = refiner_loss or OnCrops(GRDLoss(), size=64, count=2)
        self.share = share
        self.refiner_optimizer = refiner_optimizer or functools.partial(Muon, lr=0.005)
        self.refiner_scheduler = refiner_scheduler or linear_1000

    @override
    def stages(self) -> list[Stage]:
        """Return MBD-Net's stage and GRD-Net's."""
        return [
            Stage(self.network, self.loss, self.share),
            Stage(self.refiner, self.refiner_loss, 1 - self.share, self.refiner_optimizer, self.refiner_scheduler),
        ]
