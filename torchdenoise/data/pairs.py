"""Pairs of pictures of the same scene: the user's own noise, learned from noisy and clean, or from two noisy ones."""

from torch import Generator

from torchdenoise.data.datasets import Complete, Item
from torchdenoise.data.folder import Channels, Folder, FolderData, Place, as_they_are


class PairFolder(FolderData, source="pairs of pictures: noisy and clean, or noisy and noisy"):
    """Folders of noisy pictures and of their partners, which have the same names but for the suffix.

    The pictures of a pair share one scaling. Crops are a function of (seed, epoch, index). Pictures without partner are
    denoised by ``ImageFolder(predict=...)``.

    Args:
        train_noisy: folder of noisy pictures to train on, in random crops.
        train_target: folder of what to learn: the clean pictures, or noisy ones of other, zero-mean noise.
        val_noisy: folder of noisy pictures to validate on, whole.
        val_target: folder of what ``val_loss`` compares with; ``val_clean`` unless given.
        val_clean: folder of clean pictures, for ``val_psnr`` and ``val_ssim``.
        test_noisy: folder of noisy pictures to score, whole.
        test_clean: folder of their clean versions.
        crop: side of the training crops, in pixels.
        channels: 1 makes all pictures grey, 3 makes all colour; unless given they must agree.
        batch_size: crops in a step, of each process.
        repeats: crops of each pair an epoch.
        augment: flips and turns training crops at random, both of a pair alike.
        workers: processes that read pictures.
        seed: of crops, flips and turns.

    Raises:
        UserError: a number that is too small; on setup, a folder that is needed is not given or holds no picture,
            pictures without partner, partners of other size or type, a picture smaller than the crop, or grey and
            colour mixed.

    Example:
        >>> PairFolder(train_noisy="iso6400/", train_target="iso100/", crop=64).repeats
        1
    """

    def __init__(
        self,
        train_noisy: Folder = None,
        train_target: Folder = None,
        val_noisy: Folder = None,
        val_target: Folder = None,
        val_clean: Folder = None,
        test_noisy: Folder = None,
        test_clean: Folder = None,
        crop: int = 128,
        channels: Channels = None,
        batch_size: int = 16,
        repeats: int = 1,
        augment: bool = True,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        places = {
            "fit": [Place("noisy", "train_noisy", train_noisy), Place("target", "train_target", train_target)],
            "validate": [
                Place("noisy", "val_noisy", val_noisy),
                Place("target", "val_target", val_target),
                Place("clean", "val_clean", val_clean),
            ],
            "test": [Place("noisy", "test_noisy", test_noisy), Place("clean", "test_clean", test_clean)],
            "predict": [],
        }
        super().__init__(places, crop, channels, batch_size, repeats, augment, workers, seed)

    def keys(self) -> set[str]:
        """Return ``noisy`` and ``target``."""
        return {"noisy", "target"}

    def complete(self, stage: str) -> Complete:
        """Return what gives validation pictures a target."""
        return _with_target if stage == "validate" else as_they_are


def _with_target(images: Item, generator: Generator | None) -> Item:  # noqa: ARG001
    return {"target": images["clean"], **images} if "clean" in images else images
