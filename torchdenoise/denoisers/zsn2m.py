"""ZS-N2M, Zero-Shot Noise2Mean: Liu, Shi et al., AAAI 2025.

No code of its authors is known; this is built from the paper's equations (``zsn2m_losses``).
"""

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.defaults import OwnParts, adam, halved_every_1000
from torchdenoise.denoisers.losses import DenoisingLoss
from torchdenoise.denoisers.networks import GRDNet, Network, SmallCNN
from torchdenoise.denoisers.readouts import Readout
from torchdenoise.denoisers.single_stage import SingleStage
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.denoisers.zsn2m_losses import SOURCE, GRDLoss, ZSN2MLoss
from torchdenoise.errors import UserError


class ZSN2MStar(SingleStage, source=SOURCE):
    """ZS-N2M's first network, MBD-Net, alone: the paper's ZS-N2M*.

    Example:
        >>> sum(p.numel() for p in ZSN2MStar().parameters())
        22275
    """

    own = OwnParts(SmallCNN, ZSN2MLoss)


class ZSN2M(Denoiser, source=SOURCE):
    """ZS-N2M: MBD-Net, then GRD-Net, a U-Net of 2.7 M parameters, on the first one's frozen result.

    Args:
        network: the first network; ``SmallCNN()`` unless given.
        refiner: the second network; ``GRDNet()`` unless given.
        loss: of the first; ``ZSN2MLoss()`` unless given.
        refiner_loss: of the second; ``GRDLoss()`` unless given.
        share: of the steps that the first network takes.
        optimizer: of the first; Adam with rate 1e-3 unless given.
        scheduler: of the first; the rate halves every 1000 steps unless given.
        refiner_optimizer: of the second; the first one's unless given.
        refiner_scheduler: of the second, counted from its first step; the first one's unless given.
        readout: one pass unless given.

    Example:
        >>> ZSN2M()(torch.rand(1, 3, 9, 8)).shape
        torch.Size([1, 3, 9, 8])
    """

    left_out = (*Denoiser.left_out, "refiner_optimizer", "refiner_scheduler")

    def __init__(
        self,
        network: Network | None = None,
        refiner: Network | None = None,
        loss: DenoisingLoss | None = None,
        refiner_loss: DenoisingLoss | None = None,
        share: float = 0.5,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        refiner_optimizer: OptimizerFactory | None = None,
        refiner_scheduler: SchedulerFactory | None = None,
        readout: Readout | None = None,
    ) -> None:
        super().__init__(optimizer or adam, scheduler or halved_every_1000, readout)
        if not 0 < share < 1:
            raise UserError(f"ZSN2M: share {share} must lie between 0 and 1")
        self.network = network or SmallCNN()
        self.refiner = refiner or GRDNet()
        self.loss = loss or ZSN2MLoss()
        self.refiner_loss = refiner_loss or GRDLoss()
        self.share = share
        self.refiner_optimizer = refiner_optimizer
        self.refiner_scheduler = refiner_scheduler

    def stages(self) -> list[Stage]:
        """Return MBD-Net's stage and GRD-Net's."""
        return [
            Stage(self.network, self.loss, self.share),
            Stage(self.refiner, self.refiner_loss, 1 - self.share, self.refiner_optimizer, self.refiner_scheduler),
        ]
