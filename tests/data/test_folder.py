"""Folders of pictures: augmentation, validation, and mistakes that are reported before training."""

import pytest
import torch
from helpers import same_batches, scene, write_png
from lightning import LightningModule, Trainer

from torchdenoise.data import ImageFolder, read_picture
from torchdenoise.errors import UserError
from torchdenoise.fitting import HYGIENE


def image_folder(folder, **options):
    return ImageFolder(**{"train": folder, "target": "clean", "crop": 8, "batch_size": 2, **options})


class Watcher(LightningModule):
    """Learns nothing and keeps the batches it gets."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.batches = []

    def training_step(self, batch, batch_idx):
        self.batches.append(batch)
        return self.weight * batch["noisy"].mean()

    def validation_step(self, batch, batch_idx):
        self.validated = batch

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer_batches(data, epochs=1, **options):
    """Return the training batches that a Trainer hands over."""
    watcher = Watcher()
    Trainer(**{**HYGIENE, "accelerator": "cpu", "max_epochs": epochs, **options}).fit(watcher, datamodule=data)
    return watcher.batches


def eight_orientations(image):
    return [turned for flip in (image, image.flip(-1)) for turned in (torch.rot90(flip, n, (-2, -1)) for n in range(4))]


def test_noisy_and_target_are_augmented_the_same_way(folder):
    options = {"repeats": 16, "batch_size": 16}
    plain = trainer_batches(image_folder(folder, augment=False, **options), epochs=2)
    augmented = trainer_batches(image_folder(folder, **options), epochs=2)
    orientations = []
    for before, after in zip(plain, augmented, strict=True):
        for noisy, target, new_noisy, new_target in zip(
            before["noisy"], before["target"], after["noisy"], after["target"], strict=True
        ):
            (orientation,) = [
                number for number, turn in enumerate(eight_orientations(target)) if torch.equal(turn, new_target)
            ]
            assert torch.equal(eight_orientations(noisy)[orientation], new_noisy)
            orientations.append(orientation)
    assert len(orientations) == 160
    assert min(orientations.count(number) for number in range(8)) >= 8  # 20 expected
    assert orientations[:16] != orientations[16:32]


def test_augmentation_leaves_the_random_state_alone(folder):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = trainer_batches(image_folder(folder))
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(2)
    assert same_batches(first, trainer_batches(image_folder(folder)))


def test_validation_pictures_are_whole_and_unchanged(folder):
    data = image_folder(folder, val=folder)
    watcher = Watcher()
    Trainer(**{**HYGIENE, "accelerator": "cpu", "max_epochs": 1, "limit_val_batches": 1}).fit(watcher, datamodule=data)
    clean = read_picture(folder / "0.png").image
    assert torch.equal(watcher.validated["clean"], clean)
    assert torch.equal(watcher.validated["target"], clean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0}, "--data.crop 0: must be at least 1"),
        ({"repeats": 0}, "--data.repeats 0"),
        ({"batch_size": 0}, "--data.batch_size 0"),
        ({"workers": -1}, "--data.workers -1"),
        ({"train": None}, "ImageFolder has no pictures for fit: give --data.train FOLDER"),
        ({"train": "nowhere"}, "--data.train nowhere: no such folder"),
        ({"train": "empty"}, "--data.train empty: no PNG, "),
        ({"val": "nowhere"}, "--data.val nowhere: no such folder"),
        ({"crop": 13}, "clean/0.png: 20x12 pixels, smaller than the crop of 13: set --data.crop 12"),
        ({"crop": 15}, "clean/0.png and 2 more: 20x12 pixels, smaller than the crop of 15: set"),
        ({"val": "grey"}, "grey/g.png is grey, clean/0.png is colour: set --data.channels 1 or 3"),
        ({"val": "broken"}, "broken/b.png: is not a PNG"),
    ],
)
def test_mistakes_are_reported_before_training(folder, monkeypatch, options, message):
    monkeypatch.chdir(folder.parent)
    for name in ("empty", "grey", "broken"):
        (folder.parent / name).mkdir()
    write_png(folder.parent / "grey/g.png", scene(16, 16, channels=1))
    (folder.parent / "broken/b.png").write_bytes(b"not a picture")
    with pytest.raises(UserError) as caught:
        image_folder(**{"folder": "clean", **options}).setup("fit")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
