"""``ImageFolder``: crops and noise as functions of the seed."""

import shutil

import pytest
import torch
from helpers import same_batches, scene, training_batches, write_png

from torchdenoise.data import ImageFolder, read_picture
from torchdenoise.errors import AssumptionWarning
from torchdenoise.noise import from_spec, repeatable

CROP = 8


def image_folder(folder, **options):
    return ImageFolder(**{"train": folder, "target": "clean", "crop": CROP, "batch_size": 2, **options})


def test_batches_of_crops(folder):
    found = training_batches(image_folder(folder))
    assert len(found) == 2  # the fifth picture is dropped
    assert {key: tuple(value.shape) for key, value in found[0].items()} == dict.fromkeys(
        ("noisy", "target"), (2, 3, 8, 8)
    )
    assert "target" not in training_batches(image_folder(folder, target=None))[0]


def test_crops_lie_in_their_picture_and_change_every_epoch(folder):
    clean = torch.cat(
        [batch["target"] for batch in training_batches(image_folder(folder, repeats=3, batch_size=5), epochs=2)]
    )
    pictures = [read_picture(path).image[0] for path in sorted(folder.iterdir())]
    corners = []
    for crop in clean:
        found = [
            (number, *place.tolist())
            for number, picture in enumerate(pictures)
            for place in (picture[0] == crop[0, 0, 0]).nonzero()
            if torch.equal(picture[:, place[0] : place[0] + CROP, place[1] : place[1] + CROP], crop)
        ]
        corners += found[:1]
    assert len(corners) == 30
    assert [sum(corner[0] == number for corner in corners) for number in range(5)] == [6] * 5
    assert len(set(corners)) > 25


def test_crops_are_a_function_of_the_seed(folder):
    first = training_batches(image_folder(folder), epochs=2)
    assert same_batches(first, training_batches(image_folder(folder), epochs=2))
    assert not same_batches(first[:2], first[2:])
    assert not same_batches(first, training_batches(image_folder(folder, seed=1), epochs=2))


def test_neither_workers_nor_the_order_on_disk_change_a_crop(folder):
    first = training_batches(image_folder(folder, repeats=2), epochs=2)
    assert same_batches(first, training_batches(image_folder(folder, repeats=2, workers=2), epochs=2))
    for path in sorted(folder.iterdir(), reverse=True):
        shutil.copy(path, folder / "copy")
        path.unlink()
        (folder / "copy").rename(path)
    assert same_batches(first, training_batches(image_folder(folder, repeats=2), epochs=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_are_converted(folder, channels):
    write_png(folder / "grey.png", scene(16, 16, channels=1))
    found = training_batches(image_folder(folder, channels=channels, batch_size=6))
    assert found[0]["noisy"].shape == (6, channels, CROP, CROP)


@pytest.mark.parametrize("workers", [0, 1])
def test_test_noise_is_a_function_of_the_pixels(folder, workers):
    data = ImageFolder(test=folder, noise="gaussian:30", workers=workers)
    data.setup("test")
    items = list(data.test_dataloader())
    assert [path.name for path in data.sources] == [f"{number}.png" for number in range(5)]
    assert [int(item["index"]) for item in items] == list(range(5))
    for path, item in zip(data.sources, items, strict=True):
        clean = read_picture(path).image
        assert torch.equal(item["clean"], clean)
        assert torch.equal(item["noisy"], repeatable(from_spec("gaussian:30"), clean, 0))


def test_pictures_to_predict_are_unchanged(folder):
    data = ImageFolder(predict=folder, channels=1)
    data.setup("predict")
    first = next(iter(data.predict_dataloader()))
    assert torch.equal(first["noisy"], read_picture(folder / "0.png").image)
    assert first.keys() == {"noisy", "index"}


def test_clipped_noise_in_the_target_is_warned_of(folder, recwarn):
    with pytest.warns(AssumptionWarning, match="gaussian:25:clip has no zero mean .* --data.noise gaussian:25, or"):
        image_folder(folder, target="noisy", noise="gaussian:25:clip").train_dataloader()
    recwarn.clear()
    for target, noise in ((None, "gaussian:25:clip"), ("clean", "gaussian:25:clip"), ("noisy", "gaussian:25")):
        image_folder(folder, target=target, noise=noise).train_dataloader()
    assert not recwarn
