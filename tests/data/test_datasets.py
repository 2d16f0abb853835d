"""Data sets and loaders: the cache, the split among processes, and errors of workers."""

from itertools import islice

import pytest
import torch
from helpers import same_batches, scene, training_batches, write_png, write_tiff

from torchdenoise.data import ImageFolder, read_picture
from torchdenoise.data.datasets import ResumableSampler, SceneReader
from torchdenoise.errors import PictureError


def image_folder(folder, **options):
    return ImageFolder(**{"train": folder, "target": "clean", "crop": 8, "batch_size": 2, **options})


def test_pictures_are_cached_while_memory_allows(folder, monkeypatch):
    read = []
    monkeypatch.setattr("torchdenoise.data.datasets.read_picture", lambda path: read.append(path) or read_picture(path))
    cached = training_batches(image_folder(folder, repeats=3), epochs=2)
    assert len(read) == 5
    monkeypatch.setattr("torchdenoise.data.folder.CACHE_BYTES", 12 * 20 * 3 * 2)  # the bytes of the first picture
    assert same_batches(cached, training_batches(image_folder(folder, repeats=3), epochs=2))
    assert len(read) > 10


def test_cached_pixels_equal_the_file(tmp_path):
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


def test_processes_split_the_order():
    samplers = [ResumableSampler(range(7), 2, 0, lambda: None, num_replicas=2, rank=rank) for rank in range(2)]
    split = [list(sampler) for sampler in samplers]
    assert [len(mine) for mine in split] == [3, 3]
    assert len({*split[0], *split[1]}) == 6


def test_the_sampler_resumes_inside_an_epoch():
    whole = list(ResumableSampler(range(10), 2, 0, lambda: (3, 0)))
    assert list(ResumableSampler(range(10), 2, 0, lambda: (3, 2))) == whole[4:]
    assert sorted(whole) == list(range(30, 40))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_gives_one_line_even_from_a_worker(folder, workers):
    path = folder / "3.png"
    path.write_bytes(path.read_bytes()[:200])  # its header stays intact
    data = image_folder(folder, workers=workers, batch_size=5)
    data.setup("fit")
    with pytest.raises(PictureError) as caught:
        list(data.train_dataloader())
    assert str(caught.value).startswith(f"{path}: damaged or cut short")
    assert "\n" not in str(caught.value)
    whole = ImageFolder(test=folder, workers=workers)
    with pytest.raises(PictureError, match="damaged or cut short"):
        list(islice(whole.test_dataloader(), 5))
