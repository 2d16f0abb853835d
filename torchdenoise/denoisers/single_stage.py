"""A method of one network and one loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.parts.domains import Domain, IdentityDomain
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.parts.readouts import OnePass, Readout
from torchdenoise.denoisers.parts.schedules import adam, step_decay
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.errors import UserError


@dataclass(frozen=True)
class MethodDefaults:
    """Classes or functions that make a method's parts, called for each object anew."""

    network: Callable[[], Network] | None = None
    loss: Callable[[], DenoisingLoss] | None = None
    optimizer: OptimizerFactory = adam
    scheduler: SchedulerFactory = step_decay
    readout: Callable[[], Readout] = OnePass
    domain: Callable[[], Domain] = IdentityDomain


class SingleStage(Denoiser, source="any network with any loss"):
    """A method of one network and one loss, which is most of them; by itself it takes whatever you give it.

    A subclass names its own parts: ``defaults = MethodDefaults(SmallCNN, ZSN2NLoss)``.

    Args:
        network: the method's own unless given.
        loss: the method's own unless given.
        optimizer: the method's own unless given; Adam with rate 1e-3 where it has none.
        scheduler: the method's own unless given; the rate halves every 1000 steps where it has none.
        readout: the method's own unless given; one pass where it has none.
        domain: the values in which the network sees the pictures; the method's own unless given, as they are where it
            has none.

    Raises:
        UserError: no network or loss, neither given nor of its own.

    Example:
        >>> SingleStage(SmallCNN(1), ZSN2NLoss())(torch.rand(1, 1, 4, 4)).shape
        torch.Size([1, 1, 4, 4])
    """

    defaults: ClassVar[MethodDefaults] = MethodDefaults()

    def __init__(
        self,
        network: Network | None = None,
        loss: DenoisingLoss | None = None,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        readout: Readout | None = None,
        domain: Domain | None = None,
    ) -> None:
        own = self.defaults
        super().__init__(
            optimizer or own.optimizer, scheduler or own.scheduler, readout or own.readout(), domain or own.domain()
        )
        network = network or (own.network and own.network())
        loss = loss or (own.loss and own.loss())
        if network is None or loss is None:
            raise UserError(f"{type(self).__name__} has no network or loss of its own: give both")
        self.network = network
        self.loss = loss

    def stages(self) -> list[Stage]:
        """Return the only stage."""
        return [Stage(self.network, self.loss)]
