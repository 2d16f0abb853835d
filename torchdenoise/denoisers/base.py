"""What every method is: a LightningModule whose training, validation and prediction steps are written here, once."""

import functools
import warnings
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from torchdenoise import metrics
from torchdenoise.denoisers.checkpoints import KEY, Checkpointed
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import padded_call, tiled_call
from torchdenoise.denoisers.parts.domains import Domain, IdentityDomain
from torchdenoise.denoisers.parts.losses import Denoise, DenoisingLoss, Terms
from torchdenoise.denoisers.parts.readouts import OnePass, Readout
from torchdenoise.denoisers.recorder import Recorder
from torchdenoise.denoisers.stages import OptimizerFactory, Plan, SchedulerFactory, Stage, class_names, one_optimizer
from torchdenoise.errors import AssumptionWarning, UserError
from torchdenoise.noise import seeded
from torchdenoise.registry import resolve


class Denoiser(Checkpointed, kind="denoisers"):
    """A denoising method; a subclass names its parts and lists its stages.

    When a stage ends, its network is frozen; later stages find its result under ``batch["guide"]``. For one picture it
    is computed once and kept. A method whose later stages depend on the earlier results overrides ``enter_stage``.

    Args:
        optimizer: makes the optimizer from named parameters.
        scheduler: makes the schedule, advanced every step; the one of each stage begins with the stage.
        readout: how the clean image is read from the last stage's network; one pass unless given.
        domain: the values in which the networks see the pictures; as they are unless given.

    Example:
        >>> from torchdenoise.denoisers import ZSN2N
        >>> ZSN2N()(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 5, 7])
    """

    left_out: ClassVar[tuple[str, ...]] = ("optimizer", "scheduler")
    smallest: ClassVar[int] = 2
    """The smallest height and width of a picture that the method can do anything with."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Batch keys that the method is told beyond ``noisy`` when it denoises, such as the true ``level``."""
    croppable: ClassVar[bool] = True
    """Random crops of a picture will do for its training steps."""
    tileable: ClassVar[bool] = True
    """A large picture can be denoised piece by piece."""
    stackable: ClassVar[bool] = True
    """Its loss can train many stacked networks at once, under ``torch.func.vmap``."""

    def __init__(
        self,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory,
        readout: Readout | None = None,
        domain: Domain | None = None,
    ) -> None:
        super().__init__()
        for name, factory in (("optimizer", optimizer), ("scheduler", scheduler)):
            if not callable(factory):  # what jsonargparse makes of a function without annotations
                raise UserError(f"{name}: {factory} is not callable: annotate what the function takes and returns")
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.readout = readout or OnePass()
        self.domain = domain or IdentityDomain()
        self.assumption_warnings: list[str] = []
        self._seed = 0
        self._plan: Plan | None = None
        self._entered = -1
        self._expected: list[str] | None = None
        self._kept: tuple[int, Tensor, dict[str, Tensor]] | None = None

    @abstractmethod
    def stages(self) -> list[Stage]:
        """Return the phases of a fit, in order; the last one's network is the result."""

    def active_readout(self) -> Readout:
        """Return how the clean image is read; a method that finds out what suits a picture overrides it."""
        return self.readout

    # -- what it does to an image ------------------------------------------------------------------------------------

    def forward(self, image: Tensor, **extra: Tensor) -> Tensor:
        """Return the result network's answer ``(B, C, H, W)`` for images of any size, not clamped."""
        call = tiled_call if self.tileable else padded_call
        return call(self.stages()[-1].network, image, extra)

    @torch.no_grad()
    def restore(self, noisy: Tensor, **told: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)`` in 0..1, read out of the fitted network.

        Args:
            noisy: images in 0..1.
            told: what the method ``requires``, by batch key.
        """
        generator = Generator(noisy.device).manual_seed(self._seed)
        denoise = Recorder(functools.partial(self, **told), noisy.device.type)
        with torch.autocast(noisy.device.type, enabled=False):
            into, back = self.domain.transforms(noisy)
            clean: Tensor = self.active_readout()(denoise, into(noisy), generator)
            return back(clean).clamp(0, 1)

    @torch.no_grad()
    def preview(self, noisy: Tensor) -> Tensor:
        """Return one pass of the present stage's network over ``(B, C, H, W)``; the fit goes on as if nothing was."""
        network = self.stages()[self._planned().index(self.global_step - 1)].network
        training = network.training
        into, back = self.domain.transforms(noisy)
        denoised = padded_call(network.eval(), into(noisy), {}).float()
        network.train(training)
        return back(denoised)

    def match_pictures(self, channels: int, height: int, width: int) -> None:
        """Fit the networks to the pictures; the data module calls this before anything else happens.

        A network that was not told its number of channels is built again where the pictures have another one.

        Raises:
            UserError: the pictures are too small, or have another number of channels than the network was told.
        """
        if min(height, width) < self.smallest:
            raise UserError(
                f"the picture is {width}x{height} pixels; {type(self).__name__} needs at least "
                f"{self.smallest}x{self.smallest}"
            )
        for name, network in list(self.named_children()):
            if not isinstance(network, Network):
                continue
            if network.channels == channels:
                network.arguments["channels"] = channels  # fixed from now on, and in every checkpoint
                continue
            if network.arguments.get("channels") is not None or self.fitted:
                raise UserError(
                    f"the pictures have {channels} channel(s), the {name} was made for {network.channels}: "
                    f"convert the pictures, or set model.{name}.channels={channels} and fit again"
                )
            setattr(self, name, network.rebuilt(channels=channels))

    def match_batches(self, keys: set[str]) -> None:
        """Refuse data that lack what the first stage's loss needs, before anything is written.

        Raises:
            UserError: it names what is missing; or the method has nothing to fit.
        """
        stages = self.stages()
        if not stages:
            raise UserError(f"{type(self).__name__} has nothing to fit: use `torchdenoise denoise` or `predict`")
        self._need_keys(stages[0].loss, keys)

    @staticmethod
    def _need_keys(loss: DenoisingLoss, keys: Collection[str]) -> None:
        missing = [key for key in loss.requires if key not in keys]
        if missing:
            raise UserError(
                f"{type(loss).__name__} needs {' and '.join(missing)} beside the noisy image, and this data module "
                f"gives {', '.join(sorted(keys))}: choose another one, or set its options (--data.target noisy, clean)"
            )

    # -- the steps ---------------------------------------------------------------------------------------------------

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the sum of the present stage's loss terms."""
        plan, step = self._planned(), self.global_step
        index = plan.index(step)
        # Ranks, and batches whose gradients are accumulated, must not share their draws.
        parts = self.trainer.accumulate_grad_batches
        turn = self.global_rank * parts + batch_idx % parts
        stage, seen, draws = self.prepare_step(batch, plan, step, turn)
        denoise = Recorder.of(stage.network, seen["noisy"].device.type)
        terms = self._terms(stage.loss, denoise, seen, draws, plan.progress(step))
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            self._refuse(terms, index)
        if index == plan.last:
            readout = self.active_readout()
            with torch.no_grad():
                readout.observe(denoise, seen["noisy"], denoise.output.detach())
            self.trainer.should_stop |= readout.finished
        if self.trainer.loggers or self.trainer.progress_bar_callback is not None:  # a log call costs 0.3 ms
            self.log("loss", total.detach(), prog_bar=True)
            self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        return total

    def prepare_step(
        self, batch: dict[str, Tensor], plan: Plan, step: int, turn: int = 0
    ) -> tuple[Stage, dict[str, Tensor], dict[str, Tensor]]:
        """Return a step's stage, what its loss sees, and what is drawn for it; ``turn`` tells steps' parts apart."""
        index = plan.index(step)
        stage, seen = self.stages()[index], self._seen(batch, index)
        if step == plan.bounds[index] and self._entered < index:  # not with each part of a step
            self._entered = index
            self.enter_stage(index, batch["noisy"], seen["noisy"])
            stage, seen = self.stages()[index], self._seen(batch, index)
        self._need_keys(stage.loss, seen)
        return stage, seen, stage.loss.draw(seen, seeded(self._seed, step, turn, device=seen["noisy"].device))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Log ``val_loss``, which needs no clean image, and every metric as ``val_NAME`` where there is one."""
        size = len(batch["noisy"])
        if self.stages():
            self._log_loss(batch, batch_idx)
        if "clean" in batch:
            for name, value in self._scores(batch).items():
                shown = name == "psnr"
                self.log(f"val_{name}", value.mean(), batch_size=size, prog_bar=shown, sync_dist=True)

    def _log_loss(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        index = self._planned().index(self.global_step)
        stage, seen = self.stages()[index], self._seen(batch, index)
        if any(key not in seen for key in stage.loss.requires):
            return
        noisy = seen["noisy"]
        draws = stage.loss.draw(seen, seeded(self._seed, -1, batch_idx, device=noisy.device))
        terms = self._terms(stage.loss, Recorder.of(stage.network, noisy.device.type), seen, draws, 1.0)
        # Only the last stage makes the result; what earlier ones lose is no measure of it.
        name = "val_loss" if index == self._planned().last else f"val_loss_of_stage_{index + 1}"
        self.log(name, torch.stack(list(terms.values())).sum(), batch_size=len(noisy), sync_dist=True)

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Return every metric of every picture, and log their means."""
        scores = self._scores(batch)
        for name, value in scores.items():
            self.log(f"test_{name}", value.mean(), batch_size=len(value), sync_dist=True)
        return scores

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Return the clean images of a batch, clamped to 0..1."""
        return self._restored(batch)

    def _restored(self, batch: dict[str, Tensor]) -> Tensor:
        for key in self.requires:
            if key not in batch:
                raise UserError(
                    f"{type(self).__name__} is told the true {key} of the noise, which is known for synthetic noise of "
                    "one Gaussian level alone: choose a method that estimates it"
                )
        return self.restore(batch["noisy"], **{key: batch[key] for key in self.requires})

    def _scores(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return metrics.scores(self._restored(batch), batch)

    def _terms(
        self,
        loss: DenoisingLoss,
        denoise: Denoise,
        seen: dict[str, Tensor],
        draws: dict[str, Tensor],
        progress: float,
    ) -> Terms:
        with torch.autocast(seen["noisy"].device.type, enabled=False):
            terms = loss(denoise, seen, draws, progress)
        if not isinstance(terms, dict) or not all(
            isinstance(term, Tensor) and not term.ndim for term in terms.values()
        ):
            raise UserError(f"{type(loss).__name__}.forward must return a dict of scalar tensors, one for each term")
        return terms

    def _seen(self, batch: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return what a loss may see: all but the clean image, in the domain, and what is known of a picture before."""
        seen = {key: value for key, value in batch.items() if key not in ("clean", "index")}
        if "target" in seen:
            seen["target"] = self.domain.transforms(batch["noisy"])[0](batch["target"])
        return seen | self._prepared(batch["noisy"], index)

    @torch.no_grad()
    def _prepared(self, noisy: Tensor, index: int) -> dict[str, Tensor]:
        """Return ``noisy`` in the domain, what the loss measured in it, and ``guide``, the result of the stage before.

        From memory while the picture stays the same.
        """
        if self._kept is None or self._kept[0] != index or not _same(self._kept[1], noisy):
            stages = self.stages()
            inside = self.domain.transforms(noisy)[0](noisy)
            found = {"noisy": inside, **stages[index].loss.measure(inside)}
            if index > 0:
                found["guide"] = tiled_call(stages[index - 1].network.eval(), inside, {}).float()
            self._kept = (index, noisy, found)
        return self._kept[2]

    def _refuse(self, terms: Terms, index: int) -> None:
        bad = [name for name, term in terms.items() if not torch.isfinite(term)] or ["sum"]
        rate = self.trainer.optimizers[0].param_groups[index]["lr"]
        raise UserError(
            f"the loss became NaN or infinite at step {self.global_step} (term {', '.join(bad)}, learning rate "
            f"{rate:g}): lower the rate, e.g. model.optimizer.lr={rate / 10:g}"
        )

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write by what the weights were moved, too, for the optimizer's state fits no other one."""
        super().on_save_checkpoint(checkpoint)
        schedules = [each.scheduler for each in self.trainer.lr_scheduler_configs]
        if self.trainer.optimizers:
            checkpoint[KEY]["moved_by"] = class_names([*self.trainer.optimizers, *schedules])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take nothing of what another readout had gathered, and remember what the optimizer has to be."""
        super().on_load_checkpoint(checkpoint)
        self._expected = checkpoint[KEY].get("moved_by")
        theirs = checkpoint[KEY]["recipe"]["init_args"].get("readout")
        if theirs is not None and resolve(theirs["class_path"]) is not type(self.readout):
            kept = {name: value for name, value in checkpoint["state_dict"].items() if not name.startswith("readout.")}
            own = {f"readout.{name}": value for name, value in self.readout.state_dict().items()}
            checkpoint["state_dict"] = kept | own

    # -- stages and optimizers ---------------------------------------------------------------------------------------

    def enter_stage(self, index: int, noisy: Tensor, inside: Tensor) -> None:
        """Prepare stage ``index`` at its first step, when the earlier ones are done; nothing unless overridden.

        ``noisy`` is the picture as it came, ``inside`` what the networks see of it.
        What is found out here and shapes ``stages`` belongs into a buffer, so that a fit that goes on knows it. Call
        ``forget`` if the stage's loss has become another one.
        """

    def warn_assumption(self, reason: str) -> None:
        """Warn that a picture's noise violates an assumption, and keep the reason in ``assumption_warnings``."""
        self.assumption_warnings.append(reason)
        warnings.warn(reason, AssumptionWarning, stacklevel=3)

    def forget(self) -> None:
        """Forget what is known of the present picture; it is found out again when it is needed."""
        self._kept = None

    def configure_optimizers(self) -> Any:
        """Return one optimizer with a parameter group for each stage, and its schedule.

        Raises:
            UserError: a checkpoint's fit that goes on had others.
        """
        plan = Plan.of(self.stages(), self.trainer.estimated_stepping_batches)
        self.use_plan(plan)
        made = one_optimizer(self.stages(), plan, self.optimizer, self.scheduler)
        names = class_names([made["optimizer"], made["lr_scheduler"]["scheduler"]])
        if self._expected not in (None, names):
            raise UserError(
                f"the checkpoint's fit had {' and '.join(self._expected or ())}, this one has {' and '.join(names)}: "
                "it goes on with the same alone; give its configuration, --config runs/version_N/config.yaml"
            )
        return made

    def use_plan(self, plan: Plan) -> None:
        """Take the plan of a fit, which another module may lead."""
        self._plan, self._entered = plan, -1

    def _planned(self) -> Plan:
        """Return the plan of the fit; outside of one all stages are over."""
        return self._plan or Plan((0,) * (len(self.stages()) + 1))

    def setup(self, stage: str) -> None:
        """Take the run's seed, and let several processes train a method whose networks take turns."""
        self._expected = None
        if stage == "fit":
            self.assumption_warnings = []
            self.readout.begin()
            self.train()  # Lightning leaves a loaded or once fitted network in evaluation mode
        if "mixed" in str(self.trainer.precision):
            # Half precision is there for speed, and its convolutions are faster in this order.
            self.to(memory_format=torch.channels_last)
        self._seed = torch.initial_seed() % 2**62
        self._kept = None  # the weights that made it may have changed since
        kwargs = getattr(self.trainer.strategy, "_ddp_kwargs", None)
        if stage == "fit" and kwargs is not None and len(self.stages()) > 1:
            kwargs.setdefault("find_unused_parameters", True)


def _same(first: Tensor, second: Tensor) -> bool:
    return first is second or torch.equal(first, second)
