"""One picture as the data of a zero-shot fit."""

from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from helpers import noisy_image, noisy_scene, write_png

from torchdenoise.data import SingleImage
from torchdenoise.data.single import SeveralImages
from torchdenoise.errors import UserError
from torchdenoise.noise import repeatable


def used(image=None, **options):
    """Return a data module with an image from memory, set up for a fit."""
    data = SingleImage(**options)
    data.use(noisy_image() if image is None else image)
    data.prepare("fit")
    return data


def test_every_step_has_the_same_whole_picture():
    for batch in islice(used().train_dataloader(), 3):
        assert batch.keys() == {"noisy"}
        assert torch.equal(batch["noisy"], noisy_image())


def test_a_clean_picture_gets_repeatable_noise_and_can_be_scored():
    data = used(noise="gaussian:30", seed=4)
    (batch,) = data.val_dataloader()
    assert torch.equal(batch["clean"], noisy_image())
    assert torch.equal(batch["noisy"], repeatable("gaussian:30", noisy_image(), 4))
    assert batch["level"].item() == 30
    assert "clean" not in next(iter(data.predict_dataloader()))
    assert "clean" in next(iter(data.test_dataloader()))
    assert data.keys() == {"noisy", "level"}


def test_without_a_clean_picture_nothing_is_scored():
    data = used()
    assert list(data.val_dataloader()) == []
    with pytest.raises(UserError, match=r"nothing to score against: give --data.noise SPEC"):
        data.test_dataloader()


def test_a_level_that_is_known_is_passed_on():
    data = SingleImage()
    data.use(noisy_image(), level=25.0)
    data.prepare("fit")
    assert next(iter(data.train_dataloader()))["level"].item() == 25


def crops(data, number):
    """Return the crops of training batch ``number``."""
    progress = SimpleNamespace(total=SimpleNamespace(completed=number + 1))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    data.trainer = SimpleNamespace(training=True, fit_loop=loop)
    return data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)


def test_crops_are_pieces_at_even_places_and_a_function_of_seed_and_batch():
    data = used(crop=12, crops=3, noise="gaussian:30")
    batch = crops(data, 5)
    assert batch["noisy"].shape == batch["clean"].shape == (3, 3, 12, 12)
    pieces = noisy_image()[0].unfold(1, 12, 2).unfold(2, 12, 2).permute(1, 2, 0, 3, 4).reshape(-1, 3, 12, 12)
    for crop in batch["clean"]:
        assert any(torch.equal(crop, piece) for piece in pieces)
    assert torch.equal(batch["clean"], crops(used(crop=12, crops=3, noise="gaussian:30"), 5)["clean"])
    assert not torch.equal(batch["clean"], crops(data, 6)["clean"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0}, r"data.crop=0: must be at least 1"),
        ({"crops": 0}, r"data.crops=0: must be at least 1"),
        ({"crop": 36}, r"the picture is 35x41 pixels, smaller than the crop: set data.crop=35"),
    ],
)
def test_crops_that_do_not_fit(options, message):
    with pytest.raises(UserError, match=message):
        used(**options)


def test_a_file_is_read_and_named(tmp_path):
    path = write_png(tmp_path / "noisy.png", noisy_scene(8, 9))
    data = SingleImage(path)
    assert data.prepare("predict") == (3, 8, 9)
    assert data.sources == [path]


@pytest.mark.parametrize(
    ("stage", "folder"),
    [("fit", ""), ("validate", ", or a folder by --data ImageFolder --data.val FOLDER"),
     ("predict", ", or a folder by --data ImageFolder --data.predict FOLDER")],
)  # fmt: skip
def test_without_a_picture_the_options_that_give_one_are_named(stage, folder):
    with pytest.raises(UserError) as caught:
        SingleImage().prepare(stage)
    assert str(caught.value) == f"SingleImage has no picture: give --data.path FILE{folder}"


def test_several_pictures_are_one_step_and_are_predicted_one_by_one():
    members = []
    for seed in range(2):
        member = SingleImage()
        member.use(noisy_image(seed=seed))
        members.append(member)
    several = SeveralImages(members)
    step = next(iter(several.train_dataloader()))
    predicted = list(several.predict_dataloader())
    for seed in range(2):
        assert torch.equal(step[seed]["noisy"], noisy_image(seed=seed))
        assert torch.equal(predicted[seed]["noisy"], noisy_image(seed=seed))


def test_a_fit_copies_each_image_to_its_device_once():
    first, second = (SingleImage(), SingleImage())
    for number, data in enumerate((first, second)):
        data.use(torch.full((1, 1, 8, 8), number / 2), level=9)
    several = SeveralImages([first, second])
    fitting, device = SimpleNamespace(training=True), torch.device("meta")
    for data in (first, several):
        data.trainer = fitting
        batches = [data.transfer_batch_to_device(batch, device, 0) for batch in islice(data.train_dataloader(), 2)]
        items = [batch if isinstance(batch, list) else [batch] for batch in batches]
        for one, again in zip(*items, strict=True):
            assert one.keys() == {"noisy", "level"}
            assert all(one[key].device == device and one[key] is again[key] for key in one)


def test_another_image_is_copied_too_and_a_prediction_keeps_no_copy():
    data, device = used(), torch.device("meta")
    data.trainer = SimpleNamespace(training=True)
    before = data.transfer_batch_to_device(next(iter(data.train_dataloader())), device, 0)["noisy"]
    data.use(torch.zeros(1, 1, 8, 8))
    data.prepare("fit")
    batch = next(iter(data.train_dataloader()))
    assert data.transfer_batch_to_device(batch, device, 0)["noisy"].shape == (1, 1, 8, 8) != before.shape
    data.trainer = SimpleNamespace(training=False)
    copies = [data.transfer_batch_to_device(batch, device, 0)["noisy"] for _ in range(2)]
    assert copies[0] is not copies[1]
