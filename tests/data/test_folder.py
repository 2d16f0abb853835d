"""``ImageFolder``: crops, noise, flips and turns as functions of the seed, and what is said before anything is read."""

import shutil
from itertools import islice

import numpy as np
import pytest
import torch
from helpers import scene, write_png, write_tiff
from lightning import LightningModule, Trainer

from torchdenoise.data import ImageFolder, read_picture
from torchdenoise.data.datasets import ResumableSampler, SceneReader
from torchdenoise.data.headers import header
from torchdenoise.errors import UserError
from torchdenoise.fitting import HYGIENE
from torchdenoise.noise import from_spec, repeatable

CROP = 8


@pytest.fixture
def folder(tmp_path):
    """Return a folder of five pictures of random pixels, so that every crop shows where it is from."""
    (tmp_path / "clean").mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).uniform(size=(12 + number, 20, 3))
        write_png(tmp_path / "clean" / f"{number}.png", pixels, depth=16)
    return tmp_path / "clean"


def batches(data, epochs=1):
    """Return the training batches of some epochs outside of a Trainer."""
    data.setup("fit")
    loader = data.train_dataloader()
    kept = []
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        kept += list(loader)
    return kept


def same(first, second):
    return len(first) == len(second) and all(
        one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
        for one, other in zip(first, second, strict=True)
    )


def data_of(folder, **options):
    return ImageFolder(**{"train": folder, "target": "clean", "crop": CROP, "batch_size": 2, **options})


# -- training --------------------------------------------------------------------------------------------------------


def test_batches_of_crops(folder):
    found = batches(data_of(folder))
    assert len(found) == 2  # the fifth picture is left for another epoch
    assert {key: tuple(value.shape) for key, value in found[0].items()} == dict.fromkeys(
        ("noisy", "target"), (2, 3, 8, 8)
    )
    assert "target" not in batches(data_of(folder, target=None))[0]


def test_every_crop_is_a_piece_of_its_picture_and_new_in_each_epoch(folder):
    clean = torch.cat([batch["target"] for batch in batches(data_of(folder, repeats=3, batch_size=5), epochs=2)])
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
    first = batches(data_of(folder), epochs=2)
    assert same(first, batches(data_of(folder), epochs=2))
    assert not same(first[:2], first[2:])
    assert not same(first, batches(data_of(folder, seed=1), epochs=2))


def test_neither_workers_nor_the_order_on_disk_change_a_crop(folder):
    first = batches(data_of(folder, repeats=2), epochs=2)
    assert same(first, batches(data_of(folder, repeats=2, workers=2), epochs=2))
    for path in sorted(folder.iterdir(), reverse=True):
        shutil.copy(path, folder / "copy")
        path.unlink()
        (folder / "copy").rename(path)
    assert same(first, batches(data_of(folder, repeats=2), epochs=2))


def test_a_picture_is_read_once_while_there_is_room(folder, monkeypatch):
    read = []
    monkeypatch.setattr("torchdenoise.data.datasets.read_picture", lambda path: read.append(path) or read_picture(path))
    kept = batches(data_of(folder, repeats=3), epochs=2)
    assert len(read) == 5
    monkeypatch.setattr("torchdenoise.data.folder.CACHE_BYTES", 12 * 20 * 3 * 2)  # the bytes of the first picture
    assert same(kept, batches(data_of(folder, repeats=3), epochs=2))
    assert len(read) > 10


def test_what_is_kept_is_what_was_read(tmp_path):
    paths = [
        write_png(tmp_path / "8.png", scene()),
        write_png(tmp_path / "16.png", scene(), depth=16),
        write_tiff(tmp_path / "float.tif", scene() * 3 - 1),
    ]
    pictures = SceneReader([{"clean": path} for path in paths], None)
    for index, path in enumerate(paths):
        image = pictures.images(pictures.read(index))["clean"]
        assert torch.allclose(image, read_picture(path).image, atol=1e-6)
        if path.suffix == ".png":
            assert torch.equal(image, read_picture(path).image)


def test_processes_share_out_the_order():
    orders = [ResumableSampler(range(7), 2, 0, lambda: None, num_replicas=2, rank=rank) for rank in range(2)]
    dealt = [list(order) for order in orders]
    assert [len(mine) for mine in dealt] == [3, 3]
    assert len({*dealt[0], *dealt[1]}) == 6


# -- flips and turns -------------------------------------------------------------------------------------------------


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


def watched(data, epochs=1, **options):
    """Return the training batches that a Trainer hands over."""
    watcher = Watcher()
    Trainer(**{**HYGIENE, "accelerator": "cpu", "max_epochs": epochs, **options}).fit(watcher, datamodule=data)
    return watcher.batches


def eight(image):
    return [turned for flip in (image, image.flip(-1)) for turned in (torch.rot90(flip, n, (-2, -1)) for n in range(4))]


def test_flips_and_turns_move_noisy_and_target_alike(folder):
    options = {"repeats": 16, "batch_size": 16}
    plain = watched(data_of(folder, augment=False, **options), epochs=2)
    turned = watched(data_of(folder, **options), epochs=2)
    ways = []
    for before, after in zip(plain, turned, strict=True):
        for noisy, target, new_noisy, new_target in zip(
            before["noisy"], before["target"], after["noisy"], after["target"], strict=True
        ):
            (way,) = [number for number, turn in enumerate(eight(target)) if torch.equal(turn, new_target)]
            assert torch.equal(eight(noisy)[way], new_noisy)
            ways.append(way)
    assert len(ways) == 160
    assert min(ways.count(way) for way in range(8)) >= 8  # 20 expected
    assert ways[:16] != ways[16:32]


def test_flips_and_turns_leave_the_random_state_alone(folder):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = watched(data_of(folder))
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(2)
    assert same(first, watched(data_of(folder)))


def test_validation_pictures_are_whole_and_as_they_are(folder):
    data = data_of(folder, val=folder)
    watcher = Watcher()
    Trainer(**{**HYGIENE, "accelerator": "cpu", "max_epochs": 1, "limit_val_batches": 1}).fit(watcher, datamodule=data)
    clean = read_picture(folder / "0.png").image
    assert torch.equal(watcher.validated["clean"], clean)
    assert torch.equal(watcher.validated["target"], clean)


# -- whole pictures --------------------------------------------------------------------------------------------------


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


def test_pictures_to_predict_come_as_they_are(folder):
    data = ImageFolder(predict=folder, channels=1)
    data.setup("predict")
    first = next(iter(data.predict_dataloader()))
    assert torch.equal(first["noisy"], read_picture(folder / "0.png").image)
    assert first.keys() == {"noisy", "index"}


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_become_what_is_asked_for(folder, channels):
    write_png(folder / "grey.png", scene(16, 16, channels=1))
    found = batches(data_of(folder, channels=channels, batch_size=6))
    assert found[0]["noisy"].shape == (6, channels, CROP, CROP)


# -- what is said before -----------------------------------------------------------------------------------------------


def test_a_header_says_what_reading_finds(tmp_path):
    from PIL import Image

    pixels = np.zeros((6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "colour.jpg")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.jpg")
    Image.fromarray(pixels).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(pixels).convert("1").save(tmp_path / "bits.png")
    Image.fromarray(pixels).convert("RGBA").save(tmp_path / "alpha.png")
    Image.fromarray(pixels).convert("LA").save(tmp_path / "grey_alpha.png")
    write_png(tmp_path / "16.png", scene(6, 9), depth=16)
    write_tiff(tmp_path / "float.tiff", scene(6, 9, channels=1))
    for path in tmp_path.iterdir():
        picture = read_picture(path)
        assert header(path) == (*picture.image.shape[1:], picture.scaling.dtype), path


def test_a_header_is_enough_for_a_png(folder, monkeypatch):
    monkeypatch.setattr("torchdenoise.data.headers.read_picture", None)
    data_of(folder, val=folder).setup("fit")


def test_a_changed_file_is_looked_at_again(folder):
    assert header(folder / "0.png").height == 12
    write_png(folder / "0.png", scene(30, 31))
    assert header(folder / "0.png").height == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0}, "--data.crop 0: must be at least 1"),
        ({"repeats": 0}, "--data.repeats 0"),
        ({"batch_size": 0}, "--data.batch_size 0"),
        ({"workers": -1}, "--data.workers -1"),
        ({"train": None}, "ImageFolder has no pictures for fit: give --data.train FOLDER"),
        ({"train": "nowhere"}, "--data.train nowhere: no such folder"),
        ({"train": "empty"}, "--data.train empty: no PNG, TIFF or JPEG picture"),
        ({"val": "nowhere"}, "--data.val nowhere: no such folder"),
        ({"crop": 13}, "clean/0.png: 20x12 pixels, smaller than the crop of 13: set --data.crop 12"),
        ({"crop": 15}, "clean/0.png: 20x12 pixels, smaller than the crop of 15 and 2 more"),
        ({"val": "grey"}, "grey/g.png is grey, clean/0.png is colour: set --data.channels 1 or 3"),
        ({"val": "broken"}, "broken/b.png: is not a PNG"),
    ],
)
def test_what_cannot_work_is_known_before(folder, monkeypatch, options, message):
    monkeypatch.chdir(folder.parent)
    for name in ("empty", "grey", "broken"):
        (folder.parent / name).mkdir()
    write_png(folder.parent / "grey/g.png", scene(16, 16, channels=1))
    (folder.parent / "broken/b.png").write_bytes(b"not a picture")
    with pytest.raises(UserError) as caught:
        data_of(**{"folder": "clean", **options}).setup("fit")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_is_one_line_also_from_a_worker(folder, workers):
    path = folder / "3.png"
    path.write_bytes(path.read_bytes()[:200])  # its header is as good as new
    data = data_of(folder, workers=workers, batch_size=5)
    data.setup("fit")
    with pytest.raises(UserError) as caught:
        list(data.train_dataloader())
    assert str(caught.value).startswith(f"{path}: damaged or cut short")
    assert "\n" not in str(caught.value)
    whole = ImageFolder(test=folder, workers=workers)
    with pytest.raises(UserError, match="damaged or cut short"):
        list(islice(whole.test_dataloader(), 5))
