"""The work of ``denoise`` on some pictures or on a stack, in this process or in a worker."""

import argparse
import contextlib
import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

import torch
from typing_extensions import override

from torchdenoise.commands.progress import TICK, PictureProgress, in_short
from torchdenoise.commands.reading import Pair, read_all
from torchdenoise.commands.stacks import denoise_stack, is_stack
from torchdenoise.commands.worker_places import Places
from torchdenoise.data import write_picture
from torchdenoise.data.memory import freed_afterwards
from torchdenoise.errors import AssumptionWarning, UserError
from torchdenoise.fitting import Fitted, Options, restorer
from torchdenoise.fitting.denoising import FEW_PHOTONS
from torchdenoise.fitting.options import stated_noise
from torchdenoise.isolation import torch_threads
from torchdenoise.noise import GaussianNoise
from torchdenoise.noise.given import Given
from torchdenoise.pacing import Pace
from torchdenoise.paths import shown
from torchdenoise.scenes import Source
from torchdenoise.workers import KILLED_TWICE, Work, Workers


class Listener(Protocol):
    """Takes what happens during the work."""

    def say(self, line: str) -> None:
        """Take a line for the user."""

    def step(self, step: int, steps: int) -> None:
        """Take the number of finished steps of a fit."""

    def frame(self, done: int, frames: int) -> None:
        """Take the number of finished frames of a stack."""


@dataclass(frozen=True)
class Done:
    """What became of some pictures."""

    errors: Mapping[Pair, UserError]
    seconds: float
    lines: Sequence[str] = ()
    """What is still to be said."""


def picture_work(
    options: argparse.Namespace, workers: Workers, progress: PictureProgress, places: Places | None = None
) -> Work[Pair, Done]:
    """Return the work on pictures that the options of the command ask for.

    Args:
        options: of the command.
        workers: that do it.
        progress: of this process.
        places: where workers leave how far they are, if they can.

    Raises:
        UserError: as ``PictureWork``, before any work.
    """
    do: Callable[[Sequence[Pair]], Done] = PictureWork(options, progress)
    if workers.count > 1 or workers.dask is not None:
        options.threads = options.threads or torch.get_num_threads()  # fewer by default in a worker
        do = InWorker(secrets.token_hex(8), options, places)
    if places is not None:
        progress.watch(places.lines)
    return Work(do, _lost, lambda pairs: progress.begin([source.path.name for source, _ in pairs]))


def _lost(pair: Pair) -> Done:
    return Done({pair: UserError(f"{shown(pair[0])}: {KILLED_TWICE}")}, 0.0)


class PictureWork:
    """Denoises pictures and stacks as the options of the command say.

    Args:
        options: of the command.
        listener: of the work.

    Raises:
        UserError: the recipe, an override, the checkpoint, the device or the given noise is wrong.
    """

    def __init__(self, options: argparse.Namespace, listener: Listener) -> None:
        self._options = options
        self._listener = listener
        self._messages: list[str] = []
        self._wanted = Options(
            options.max_steps, options.seed, options.device, options.overrides, listener.step,
            budget=options.budget, on_message=self._messages.append, strength=options.strength,
            keep_outliers=options.keep_outliers, neighbours=options.neighbours, graphs=options.graphs,
            **stated_noise(_given_noise(options)),
        )  # fmt: skip
        self._restore = restorer(options.recipe, options.ckpt, self._wanted)

    def __call__(self, pairs: Sequence[Pair]) -> Done:
        """Denoise some pictures together, or one stack, and write them."""
        start = time.monotonic()
        self._messages.clear()
        with torch_threads(self._options.threads):
            if len(pairs) == 1 and is_stack(pairs[0][0], self._options.axes):
                errors = denoise_stack(pairs[0], self._options, self._wanted, self._listener)
            else:
                with freed_afterwards():
                    errors = self._denoise(pairs)
        return Done(self._without_those_of_others(errors), time.monotonic() - start)

    def _without_those_of_others(self, errors: Mapping[Pair, UserError]) -> dict[Pair, UserError]:
        """Return the errors but for results that another command on the same folder has written meanwhile."""
        left = dict(errors)
        for source, target in errors:
            if not self._options.overwrite and target.exists():
                self._listener.say(f"{shown(target)}: written meanwhile by another command, and kept")
                del left[source, target]
        return left

    def _denoise(self, pairs: Sequence[Pair]) -> dict[Pair, UserError]:
        """Denoise some pictures together and write them; return the errors of those that failed."""
        options, say = self._options, self._listener.say
        pictures, errors = read_all(pairs, options, self._wanted, say)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)  # printed below, with the picture's name
            results = self._restore([picture.image for picture in pictures.values()])
        for line in self._messages:
            say(line)
        steps = self._messages[0] if self._messages and options.budget is not None else ""
        for ((source, target), picture), result in zip(pictures.items(), results, strict=True):
            try:
                if isinstance(result, UserError):
                    raise UserError(f"{shown(source)}: {result}")
                noise = picture.scaling.values.beside(result.noise)
                for line in _remarks(source, replace(result, noise=noise), len(pairs) > 1):
                    say(line)
                if picture.scaling.rounds_away(result.image, picture.image):
                    say(f"warning: {shown(source)}: {FEW_PHOTONS}: add --dtype float32")
                like = picture.with_remarks([steps, noise])
                write_picture(target, result.image, like, overwrite=options.overwrite)
            except UserError as error:
                errors[source, target] = error
        return errors


@dataclass(frozen=True)
class InWorker:
    """Picture work for other processes, each of which sets up once and hands back what is to be said.

    Args:
        command: a name of its own, by which a process knows the work again.
        options: of the command; the number of threads is fixed, because results depend on it by rounding.
        places: where it leaves how far it is.
    """

    command: str
    options: argparse.Namespace = field(compare=False)
    places: Places | None = field(default=None, compare=False)

    def __call__(self, pairs: Sequence[Pair]) -> Done:
        """Denoise some pictures together, or one stack, and write them."""
        work, listener = _set_up(self)
        with listener.at_work(in_short([source.path.name for source, _ in pairs])) as lines:
            done = work(pairs)
        return Done(done.errors, done.seconds, tuple(lines))


@lru_cache(maxsize=1)
def _set_up(task: InWorker) -> tuple[PictureWork, "_Elsewhere"]:
    listener = _Elsewhere(task.places)
    return PictureWork(task.options, listener), listener


class _Elsewhere(Listener):
    """Keeps lines for the process that shows them, and leaves how far the work is, not too often."""

    def __init__(self, places: Places | None) -> None:
        self._places = places
        self._pace = Pace(TICK)
        self._lines: list[str] = []
        self._name = self._frames = ""

    @contextlib.contextmanager
    def at_work(self, name: str) -> Iterator[Sequence[str]]:
        """Name the pictures that the block denoises, and give the lines that are said meanwhile."""
        self._lines, self._name, self._frames = [], name, ""
        try:
            yield self._lines
        finally:
            if self._places is not None:
                self._places.leave("")

    @override
    def say(self, line: str) -> None:
        self._lines.append(line)

    @override
    def step(self, step: int, steps: int) -> None:
        self._leave(f"{self._frames}step {step} of {steps}")

    @override
    def frame(self, done: int, frames: int) -> None:
        self._frames = f"{done} of {frames} frames, "
        self._leave(f"{done} of {frames} frames")

    def _leave(self, place: str) -> None:
        if self._places is not None and self._pace.due():
            self._pace.printed()
            self._places.leave(f"{self._name}: {place}")


def _given_noise(options: argparse.Namespace) -> Given | None:
    """Return the noise that the options state, if they do."""
    if options.noise_level is not None:
        return GaussianNoise(options.noise_level)
    stated: Given | None = options.noise_profile or options.noise
    return stated


def _remarks(source: Source, result: Fitted, several: bool) -> list[str]:
    """Return what the method says about the noise of a picture; ``several`` are fitted together."""
    name = f"{shown(source)}: " if several else ""
    found = [f"{name}{result.noise}"] if result.noise else []
    return [*found, *(f"warning: {shown(source)}: {warning}" for warning in result.assumption_warnings)]
