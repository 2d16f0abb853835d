"""A method of one network and one loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.parts.domains import Domain
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.denoisers.stages import OptimizerFactory, SchedulerFactory, Stage
from torchdenoise.errors import UserError


@dataclass(frozen=True)
class MethodDefaults:
    """Classes or functions that create a method's parts, called for each object; None for ``Denoiser``'s default."""

    network: Callable[[], Network] | None = None
    loss: Callable[[], DenoisingLoss] | None = None
    optimizer: OptimizerFactory | None = None
    scheduler: SchedulerFactory | None = None
    readout: Callable[[], Readout] | None = None
    domain: Callable[[], Domain] | None = None


class SingleStage(Denoiser, source="any network with any loss"):
    """A method of one network and one loss, like most; used directly, it takes any parts.

    A subclass names its default parts: ``defaults = MethodDefaults(network=SmallCNN, loss=ZSN2NLoss)``.

    Args:
        network: the method's default unless given.
        loss: the method's default unless given.
        optimizer: the method's default unless given; otherwise Adam with learning rate 1e-3.
        scheduler: the method's default unless given; otherwise the learning rate halves every 1000 steps.
        readout: the method's default unless given; otherwise one pass.
        domain: the values in which the network sees the images; the method's default unless given; otherwise unchanged.

    Raises:
        UserError: no network or loss, neither given nor by default.

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
        defaults = self.defaults
        super().__init__(
            optimizer or defaults.optimizer,
            scheduler or defaults.scheduler,
            readout or (defaults.readout and defaults.readout()),
            domain or (defaults.domain and defaults.domain()),
        )
        network = network or (defaults.network and defaults.network())
        loss = loss or (defaults.loss and defaults.loss())
        if network is None or loss is None:
            raise UserError(f"{type(self).__name__} has no default network or loss: give both")
        self.network = network
        self.loss = loss

    @override
    def stages(self) -> list[Stage]:
        """Return the only stage."""
        return [Stage(self.network, self.loss)]
