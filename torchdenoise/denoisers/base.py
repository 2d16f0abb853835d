"""The base of every method: a LightningModule whose training, validation and prediction steps are written once."""

import functools
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor
from typing_extensions import override

from torchdenoise import metrics
from torchdenoise.denoisers.checkpoints import Checkpointed
from torchdenoise.denoisers.context import PictureContext, RecentContexts
from torchdenoise.denoisers.evaluation import finiteness_due, not_finite, require_gradient
from torchdenoise.denoisers.matching import check_crops, check_keys, match_network
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import PaddedNetwork, padded_call, tiled_call
from torchdenoise.denoisers.parts.domains import Domain, IdentityDomain
from torchdenoise.denoisers.parts.losses import Denoise, Terms
from torchdenoise.denoisers.parts.noise_aware import NoisePart
from torchdenoise.denoisers.parts.readouts import OnePass, Readout
from torchdenoise.denoisers.parts.schedules import adam, step_decay
from torchdenoise.denoisers.recorder import Recorder
from torchdenoise.denoisers.stages import OptimizerFactory, Plan, SchedulerFactory, Stage, one_optimizer
from torchdenoise.denoisers.steps import Compute, SingleStep, directly
from torchdenoise.errors import AssumptionWarning, DataError, UserError
from torchdenoise.noise import NoiseProfile, NoiseSource, Profiles, seeded
from torchdenoise.noise.assumptions import Assumption
from torchdenoise.protocols import DataDescription


class Denoiser(Checkpointed):
    """A denoising method; a subclass creates its parts and lists its stages.

    When a stage ends, its network is frozen; later stages find its result under ``batch["guide"]``, computed once for
    the same images. A method may override ``enter_stage`` to prepare a stage from earlier results, ``loss_batch`` to
    change what a loss sees, and ``active_readout`` to choose a readout; these can use ``plan``, ``seed`` and
    ``context``.

    Args:
        optimizer: creates the optimizer from named parameters; Adam with learning rate 1e-3 by default.
        scheduler: creates the schedule, which advances every step and restarts with each stage; by default it halves
            the learning rate every 1000 steps.
        readout: reads the clean image from the last stage's network; one pass by default.
        domain: the values in which the networks see the images; unchanged by default.

    Example:
        >>> from torchdenoise.denoisers import ZSN2N
        >>> ZSN2N()(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 5, 7])
    """

    left_out: ClassVar[tuple[str, ...]] = ("optimizer", "scheduler")
    smallest: ClassVar[int] = 2
    """The smallest height and width of an image that the method can denoise."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Batch keys that denoising needs beyond ``noisy``, such as the true ``level``."""
    croppable: ClassVar[bool] = True
    """Whether it can be trained on random crops of an image."""
    tileable: ClassVar[bool] = True
    """Whether a large image can be denoised tile by tile."""
    stackable: ClassVar[bool] = True
    """Whether its loss can train many stacked networks at once, under ``torch.func.vmap``."""

    assumes: ClassVar[tuple[Assumption, ...]] = ()
    """What it assumes about the noise; where that does not hold, the result suffers."""

    def __init__(
        self,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        readout: Readout | None = None,
        domain: Domain | None = None,
    ) -> None:
        super().__init__()
        for name, factory in (("optimizer", optimizer), ("scheduler", scheduler)):
            if factory is not None and not callable(factory):  # jsonargparse's result for an unannotated function
                raise UserError(f"{name}: {factory} is not callable: annotate what the function takes and returns")
        self.optimizer = optimizer or adam
        self.scheduler = scheduler or step_decay
        self.readout = readout or OnePass()
        self.domain = domain or IdentityDomain()
        self.assumption_warnings: list[str] = []
        self.given_noise: NoiseProfile | NoiseSource | None = None
        """The noise of all images, which is then believed and not measured; outliers that it does not state are.
        Or where it comes from, such as frames that are measured together."""
        self.compute: Compute = directly
        """How the steps of a fit are computed."""
        self._seed = 0  # of the current run
        self._plan: Plan | None = None  # of the current or last fit
        self._entered = -1  # the last stage that was entered: one step can be several calls of training_step
        self._contexts = RecentContexts()  # a cache

    @abstractmethod
    def stages(self) -> list[Stage]:
        """Return the stages of a fit, in order; the last one's network is the result."""

    # -- hooks, and what they can use --------------------------------------------------------------------------------

    def enter_stage(self, index: int, noisy: Tensor, transformed: Tensor) -> None:
        """Prepare stage ``index`` at its first step, when the earlier ones are done; does nothing by default.

        Results that ``stages`` depends on belong into buffers, so that a resumed fit has them. Call ``clear_cache``
        after replacing the stage's loss.

        Args:
            index: the number of the stage, from 0.
            noisy: the images of the step, ``(B, C, H, W)``.
            transformed: the same in the domain, as the networks see them.
        """

    def loss_batch(self, batch: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return what the loss of stage ``index`` sees: the batch in the domain, and what is known of its images."""
        context = self.context(batch["noisy"])
        seen = {key: value for key, value in batch.items() if key not in ("clean", "index")}
        if "target" in seen:
            seen["target"] = context.forward(seen["target"])
        return seen | {"noisy": context.transformed} | context.stage_inputs(index, self.stages)

    def active_readout(self) -> Readout:
        """Return the readout in use; ``self.readout`` by default."""
        return self.readout

    @property
    def result_network(self) -> Network:
        """The network that the result is read from; the last stage's by default."""
        return self.stages()[-1].network

    @property
    def seed(self) -> int:
        """The seed of everything random in the current run."""
        return self._seed

    @property
    def plan(self) -> Plan:
        """The steps of each stage; before any fit all stages are over."""
        return self._plan or Plan((0,) * (len(self.stages()) + 1))

    @property
    def uses_noise(self) -> bool:
        """Whether any part makes use of the images' noise profiles; a given noise then has an effect."""
        parts: list[NoisePart] = [self.domain, self.active_readout(), *(stage.loss for stage in self.stages())]
        return any(part.uses_noise for part in parts)

    @property
    def reads_in_fit(self) -> bool:
        """Whether the fit itself may use the readout; another readout then needs a fit of its own."""
        return False

    def noise_line(self) -> str:
        """Return one line about the noise of the last image; empty if the method makes no use of it."""
        last = self._contexts.last
        if last is None or not self.uses_noise:
            return ""
        line = last.profiles[0].describe()
        return f"{line}; given" if isinstance(self.given_noise, NoiseProfile) else line

    def context(self, noisy: Tensor) -> PictureContext:
        """Return what is known of images ``(B, C, H, W)``, from the cache while they stay the same.

        Raises:
            UserError: the given noise is that of images with another number of channels.
        """
        return self._contexts.of(noisy, self.domain, self._given)

    def _given(self, noisy: Tensor) -> Profiles | None:
        given = self.given_noise
        if given is None:
            return None
        if not isinstance(given, NoiseProfile):
            return Profiles.from_source(given, noisy)
        given.require_channels(noisy.shape[1])
        given.require_size(*noisy.shape[-2:])
        return Profiles.given(given, noisy)

    def clear_cache(self) -> None:
        """Discard what was computed with a stage's loss, a network or the readout for the current images."""
        self._contexts.clear()

    def warn_assumption(self, reason: str) -> None:
        """Warn that an image's noise violates an assumption, and keep the reason in ``assumption_warnings``."""
        self.assumption_warnings.append(reason)
        warnings.warn(reason, AssumptionWarning, stacklevel=3)

    # -- denoising ---------------------------------------------------------------------------------------------------

    @override
    def forward(self, image: Tensor, **extra: Tensor) -> Tensor:
        """Return the result network's output ``(B, C, H, W)`` for images of any size, not clamped."""
        call = tiled_call if self.tileable else padded_call
        return call(self.result_network, image, extra)

    @torch.no_grad()
    def restore(self, noisy: Tensor, neighbours: Tensor | None = None, **known: Tensor) -> Tensor:
        """Return clean images ``(B, C, H, W)`` in 0..1, read from the fitted network.

        Args:
            noisy: images in 0..1.
            neighbours: frames ``(N, C, H, W)`` beside the only image, for a readout that makes use of them.
            known: what the method ``requires``, by batch key.
        """
        generator = Generator(noisy.device).manual_seed(self.seed)
        denoise = Recorder(functools.partial(self, **known), noisy.device.type)
        frames = () if neighbours is None else torch.split(neighbours, 1)
        beside = [self.context(frame) for frame in frames]
        context = self.context(noisy)
        with torch.autocast(noisy.device.type, enabled=False):
            return context.inverse(self.read(denoise, context, generator, beside)).clamp(0, 1)

    def read(
        self, denoise: Denoise, context: PictureContext, generator: Generator, beside: Sequence[PictureContext] = ()
    ) -> Tensor:
        """Return the clean images in the domain, from the result network as a callable.

        Args:
            denoise: the network.
            context: of the images.
            generator: of all random draws.
            beside: of neighbouring frames, one image each.
        """
        readout = self.active_readout().with_noise(context.transformed_profiles)
        if beside:
            profiles = [each.transformed_profiles[0] for each in beside]
            readout = readout.with_neighbours([each.transformed for each in beside], profiles)
        clean: Tensor = readout(denoise, context.transformed, generator)
        return clean

    @torch.no_grad()
    def preview(self, noisy: Tensor) -> Tensor:
        """Return one pass of the current stage's network over ``(B, C, H, W)``, without affecting the fit."""
        index = self.plan.index(self.global_step - 1)
        network, context = self.stages()[index].network, self.context(noisy)
        training = network.training
        network.eval()
        denoised = self.one_pass(context, index)
        network.train(training)
        return context.inverse(denoised)

    def one_pass(self, context: PictureContext, index: int) -> Tensor:
        """Return one pass of a stage's network over the images in the domain ``(B, C, H, W)``."""
        return padded_call(self.stages()[index].network, context.transformed, {}).float()

    # -- steps -------------------------------------------------------------------------------------------------------

    @override
    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the sum of the current stage's loss terms."""
        stage, seen, draws = self.prepare_step(batch, batch_idx)
        step = SingleStep(stage.loss, stage.network)
        terms, output = self.compute(step, seen, draws, self.plan.progress(self.global_step))
        total = torch.stack(list(terms.values())).sum()
        require_gradient(stage.loss, total)
        readout, noisy = self.active_readout(), seen["noisy"]
        # A readout that sees each output may end the fit at any step.
        asked = readout.needs_outputs or finiteness_due(self.global_step, self.plan.steps, total.device)
        if asked and not torch.isfinite(total):
            self._refuse(terms)
        if readout.needs_outputs and self.plan.index(self.global_step) == self.plan.last:
            with torch.no_grad():
                readout.observe(Recorder(PaddedNetwork(stage.network), noisy.device.type), noisy, output.detach())
            self.trainer.should_stop |= readout.finished
        if self.trainer.loggers or self.trainer.progress_bar_callback is not None:  # a log call costs 0.3 ms
            self.log("loss", total.detach(), prog_bar=True)
            self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        return total

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """End the fit after its last step; Lightning then validates and logs, also in the middle of an epoch."""
        if self.plan.steps <= self.global_step:
            self.trainer.should_stop = True

    def prepare_step(
        self, batch: dict[str, Tensor], batch_idx: int
    ) -> tuple[Stage, dict[str, Tensor], dict[str, Tensor]]:
        """Return the current stage, what its loss sees of a batch, and its random draws."""
        step = self.global_step
        index = self.plan.index(step)
        # Ranks, and batches whose gradients are accumulated, need different draws.
        parts = self.trainer.accumulate_grad_batches
        turn = self.global_rank * parts + batch_idx % parts
        if step == self.plan.bounds[index] and self._entered < index:
            self._entered = index
            for earlier in self.stages()[:index]:
                earlier.network.eval()
            self.enter_stage(index, batch["noisy"], self.context(batch["noisy"]).transformed)
        stage, seen = self.stages()[index], self.loss_batch(batch, index)
        check_keys(stage.loss, seen)
        return stage, seen, stage.loss.draw(seen, seeded(self.seed, step, turn, device=seen["noisy"].device))

    @override
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
        index = self.plan.index(self.global_step)
        stage, seen = self.stages()[index], self.loss_batch(batch, index)
        if any(key not in seen for key in stage.loss.requires):
            return
        noisy = seen["noisy"]
        draws = stage.loss.draw(seen, seeded(self.seed, -1, batch_idx, device=noisy.device))
        terms, _ = SingleStep(stage.loss, stage.network)(seen, draws, 1.0)
        # The result is the last stage's; losses of earlier ones do not measure it.
        name = "val_loss" if index == self.plan.last else f"val_loss_of_stage_{index + 1}"
        self.log(name, torch.stack(list(terms.values())).sum(), batch_size=len(noisy), sync_dist=True)

    @override
    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Return every metric of every image, and log their means."""
        scores = self._scores(batch)
        for name, value in scores.items():
            self.log(f"test_{name}", value.mean(), batch_size=len(value), sync_dist=True)
        return scores

    @override
    def predict_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the clean images of a batch, clamped to 0..1."""
        for key in self.requires:
            if key not in batch:
                raise DataError(
                    f"{type(self).__name__} needs the true {key} of the noise, which is known only for synthetic "
                    "Gaussian noise of one level: choose a method that estimates it"
                )
        known = {key: batch[key] for key in self.requires}
        return self.restore(batch["noisy"], batch.get("neighbours"), **known)

    def _scores(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return metrics.scores(self.predict_step(batch, 0), batch)

    def _refuse(self, terms: Terms) -> None:
        bad = [name for name, term in terms.items() if not torch.isfinite(term)] or ["sum"]
        rate = self.trainer.optimizers[0].param_groups[self.plan.index(self.global_step)]["lr"]
        raise UserError(not_finite(self.global_step, rate, ", ".join(bad)))

    # -- setting up --------------------------------------------------------------------------------------------------

    def match_data(self, description: DataDescription) -> None:
        """Adapt the networks to the data, which a data module describes before anything else happens.

        Raises:
            DataError: the images are too small or have the wrong number of channels; training batches are crops or
                lack keys; or there is nothing to fit.
            UserError: the given noise is that of images with another number of channels.
        """
        self._contexts.keep(description.images)
        name, smallest = type(self).__name__, self.smallest
        if min(description.height, description.width) < smallest:
            raise DataError(
                f"the picture is {description.width}x{description.height} pixels; {name} needs at least "
                f"{smallest}x{smallest}"
            )
        if isinstance(self.given_noise, NoiseProfile):
            self.given_noise.require_channels(description.channels)
        for part, network in list(self.named_children()):
            if isinstance(network, Network):
                setattr(self, part, match_network(network, part, description.channels, self.fitted))
        if description.crop is not None:
            check_crops(self, self.croppable, self.readout, description.crop)
        if description.keys is not None:
            stages = self.stages()
            if not stages:
                raise DataError(f"{name} has nothing to fit: use `torchdenoise denoise` or `predict`")
            check_keys(stages[0].loss, description.keys)

    @override
    def setup(self, stage: str) -> None:
        """Take the run's seed, and prepare networks and readout for the run."""
        super().setup(stage)
        if stage == "fit":
            self.assumption_warnings = []
            self.clear_cache()
            self.readout.begin()
            self.train()  # Lightning leaves a loaded or previously fitted network in evaluation mode
        if "mixed" in str(self.trainer.precision):
            self.to(memory_format=torch.channels_last)  # makes convolutions in half precision faster
        self._seed = torch.initial_seed() % 2**62
        self._contexts.clear_stage()  # the weights may have changed
        # In DDP, the networks of other stages get no gradient. Lightning has no public way to say so from a module.
        kwargs = getattr(self.trainer.strategy, "_ddp_kwargs", None)
        if stage == "fit" and kwargs is not None and len(self.stages()) > 1:
            kwargs.setdefault("find_unused_parameters", True)

    @override
    def configure_optimizers(self) -> Any:
        """Return one optimizer with a parameter group for each stage, and its schedule.

        Raises:
            CheckpointError: the checkpoint to resume from has other ones.
        """
        stages = self.stages()
        plan = Plan.of(stages, self.trainer.estimated_stepping_batches)
        self.use_plan(plan)
        parameters = [stage.network.named_parameters() for stage in stages]
        made = one_optimizer(stages, parameters, plan, self.optimizer, self.scheduler)
        self.check_resumable(made["optimizer"], made["lr_scheduler"]["scheduler"])
        return made

    def use_plan(self, plan: Plan) -> None:
        """Take the plan of a fit; a module that fits several denoisers sets it from outside."""
        self._plan, self._entered = plan, -1

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_contexts": RecentContexts()}  # a domain's transforms may be local functions
