"""The jobs of a comparison: every method on every picture, noise and seed."""

import hashlib
import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from torchdenoise.benchmarking.methods import Method
from torchdenoise.benchmarking.sources import digest, state_of_code
from torchdenoise.data.partners import by_name, match_by_name
from torchdenoise.errors import DataError, UserError
from torchdenoise.noise import from_spec
from torchdenoise.paths import check_input, find_pictures, is_folder, read_errors

REAL = "real"
"""Stands for a noise spec where the pictures are noisy already."""


@dataclass(frozen=True)
class Scene:
    """The files of a picture: a clean one for synthetic noise, a noisy one, or both."""

    name: str
    clean: Path | None
    noisy: Path | None = None

    @property
    def source(self) -> Path:
        """The file whose type and format results have: the noisy picture, or the clean one that gets noise."""
        path = self.noisy or self.clean
        assert path is not None
        return path


@dataclass(frozen=True)
class Settings:
    """What all jobs of a comparison share."""

    crop: int | None = None
    max_steps: int | None = None
    threads: int = 1
    device: str = "auto"
    batch: int = 1
    """The largest number of pictures that are fitted together."""


@dataclass(frozen=True)
class Job:
    """One method on one noisy picture."""

    method: Method
    scene: Scene
    noise: str
    seed: int
    settings: Settings
    code: tuple[str, ...] = ()
    """What changes with the code of method and noise, see ``state_of_code``."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies its row."""
        return (self.method.name, self.scene.name, self.noise, str(self.seed))

    def fingerprint(self) -> str:
        """Return a digest of everything that decides the numbers: a changed recipe, file or setting changes it.

        The version of torchdenoise is left out on purpose: most releases keep the numbers of most recipes, and
        published tables must stay resumable. A class whose results change says so by its ``revision``. ``compare``
        reports rows of another version.
        """
        files = [None if path is None else digest(path) for path in (self.scene.clean, self.scene.noisy)]
        content = [self.method.identity, files, self.noise, self.seed, asdict(self.settings), *self.code]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def scenes(clean: Sequence[Path], noisy: Sequence[Path]) -> list[Scene]:
    """Return clean pictures, noisy ones, or pairs of one name, given as files and folders.

    Raises:
        UserError: no such file or folder, pictures without a partner, or two of one name.
    """
    sides = [[picture for path in paths for picture in _listed(path)] for paths in (clean, noisy)]
    if not any(sides):
        raise UserError("no pictures: give --data DIR, --noisy DIR, or --noisy DIR and --clean DIR")
    if all(sides):
        return [Scene(name, *pair) for name, pair in match_by_name(sides).items()]
    if sides[0]:
        return [Scene(name, path) for name, path in by_name(sides[0]).items()]
    return [Scene(name, None, path) for name, path in by_name(sides[1]).items()]


def _listed(path: Path) -> list[Path]:
    """Return the pictures of a folder, or the one that ``path`` is."""
    if not is_folder(path):
        with read_errors(path):
            check_input(path)
    pictures = find_pictures(path) if is_folder(path) else [path]
    for picture in pictures:
        try:
            picture.stem.encode()
        except UnicodeEncodeError:
            raise DataError(f"{str(picture)!a}: its name is not UTF-8, which tables need: rename it") from None
    return pictures


def plan(
    named: Sequence[Method], pictures: Sequence[Scene], noises: Sequence[str], seeds: Sequence[int], settings: Settings
) -> list[Job]:
    """Return all jobs; clean pictures get synthetic noise, noisy ones keep theirs.

    Raises:
        UserError: a noise spec for noisy pictures, none for clean ones, or an invalid one.
    """
    real = pictures[0].noisy is not None
    if real and noises:
        raise UserError(
            "--noise is for clean pictures, and these are noisy: leave it out, or give clean ones with --data"
        )
    if not real and not noises:
        raise UserError("clean pictures need a noise: give --noise gaussian:25")
    models = {model.spec: model for model in map(from_spec, noises)}
    code = {REAL: ()} if real else {spec: state_of_code(model.recipe()) for spec, model in models.items()}
    chosen = list(dict.fromkeys(seeds)) or [0]
    return [
        Job(method, scene, spec, seed, settings, (*method.code, *code[spec]))
        for method, scene, spec, seed in product(named, pictures, code, chosen)
    ]


def bundles(jobs: Iterable[Job], unshared: Container[str] = ()) -> list[Sequence[Job]]:
    """Return the jobs in groups that are done together: pictures in one stack, or readouts of one fit.

    Args:
        jobs: to be done.
        unshared: names of methods whose readout takes part in the fit, so that no other can share it.
    """
    unfilled: dict[tuple[str, ...], list[Job]] = {}
    made: list[Sequence[Job]] = []
    for job in jobs:
        name, stacked = job.method.name, job.settings.batch > 1
        what = (name,) if stacked else (name if name in unshared else job.method.fit_key, job.scene.name)
        bundle = unfilled.setdefault((*what, job.noise, str(job.seed)), [])
        if not bundle:
            made.append(bundle)
        bundle.append(job)
        if stacked and len(bundle) == job.settings.batch:
            del unfilled[*what, job.noise, str(job.seed)]
    return made
