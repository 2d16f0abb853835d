"""Pairs of pictures of one scene, noisy and clean or noisy and noisy, to learn real noise from."""

from torch import Generator
from typing_extensions import override

from torchdenoise.data.datasets import Item, Transform
from torchdenoise.data.folder import Channels, Folder, FolderData, FolderOption, unchanged


class PairFolder(FolderData, source="pairs of pictures: noisy and clean, or noisy and noisy"):
    """Folders of noisy pictures and of their partners, which have the same names without suffix.

    The pictures of a pair share one scaling. Crops depend only on (seed, epoch, index). To denoise pictures without
    partner, use ``ImageFolder(predict=...)``.

    Args:
        train_noisy: folder of noisy pictures to train on, in random crops.
        train_target: folder of the targets: clean pictures, or noisy ones with independent, zero-mean noise.
        val_noisy: folder of noisy pictures to validate on, whole.
        val_target: folder of the targets of ``val_loss``; ``val_clean`` by default.
        val_clean: folder of clean pictures, for ``val_psnr`` and ``val_ssim``.
        test_noisy: folder of noisy pictures to score, whole.
        test_clean: folder of their clean versions.
        crop: side of the training crops, in pixels.
        channels: 1 converts all pictures to grey, 3 to colour; by default they must agree.
        batch_size: crops per step, of each process.
        repeats: crops of each pair per epoch.
        augment: flips and rotates training crops at random, the same way for both pictures of a pair.
        workers: processes that read pictures.
        seed: of crops and augmentation.

    Raises:
        DataError: a number that is too small; on setup, a required folder is not given, a picture has no partner, or
            partners differ in size, type or colour.
        PictureError: on setup, a folder that holds no picture, or a picture smaller than the crop.

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
        folders = {
            "fit": [
                FolderOption("noisy", "train_noisy", train_noisy),
                FolderOption("target", "train_target", train_target),
            ],
            "validate": [
                FolderOption("noisy", "val_noisy", val_noisy),
                FolderOption("target", "val_target", val_target),
                FolderOption("clean", "val_clean", val_clean),
            ],
            "test": [FolderOption("noisy", "test_noisy", test_noisy), FolderOption("clean", "test_clean", test_clean)],
            "predict": [],
        }
        super().__init__(folders, crop, channels, batch_size, repeats, augment, workers, seed)

    @override
    def keys(self) -> set[str]:
        """Return ``noisy`` and ``target``."""
        return {"noisy", "target"}

    @override
    def transform(self, stage: str) -> Transform:
        """Return the function that adds the default target to validation pictures."""
        return _with_target if stage == "validate" else unchanged


def _with_target(images: Item, generator: Generator | None) -> Item:  # noqa: ARG001
    return {"target": images["clean"], **images} if "clean" in images else images
