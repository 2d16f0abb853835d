"""``PairFolder``: partners by name, one scaling, and what is said of pictures that are none."""

import numpy as np
import pytest
import tifffile
import torch
from helpers import noisy_scene, scene, write_png, write_tiff

from torchdenoise.data import PairFolder, read_picture
from torchdenoise.errors import UserError


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Make folders of noisy and clean pictures, and go there."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        for name, picture in (("noisy", noisy_scene), ("clean", scene)):
            (tmp_path / name).mkdir(exist_ok=True)
            write_png(tmp_path / name / f"{number}.png", picture(20 + number, 24))
    return tmp_path


PAIRS = {"train_noisy": "noisy", "train_target": "clean", "crop": 12, "batch_size": 3}


def batch_of(**options):
    data = PairFolder(**{**PAIRS, **options})
    data.setup("fit")
    return next(iter(data.train_dataloader()))


def test_a_batch_holds_the_same_piece_of_both(folders):
    batch = batch_of(repeats=2, batch_size=6)
    assert batch.keys() == {"noisy", "target"}
    difference = (batch["noisy"] - batch["target"]).square().mean(dim=(1, 2, 3)).sqrt() * 255
    assert batch["noisy"].shape == (6, 3, 12, 12)
    assert difference.max() < 35  # the noise of level 25; other places differ by more
    assert difference.min() > 15


def test_partners_may_have_other_formats_and_come_in_any_order(folders):
    (folders / "tiff").mkdir()
    for path in sorted((folders / "clean").iterdir()):
        values = (read_picture(path).image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        tifffile.imwrite(folders / "tiff" / f"{path.stem}.TIF", values, photometric="rgb")
    first, second = batch_of(), batch_of(train_target="tiff")
    assert torch.equal(first["target"], second["target"])


def test_workers_change_nothing(folders):
    first, second = batch_of(), batch_of(workers=2)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["noisy"], batch_of(seed=1)["noisy"])


def test_a_pair_has_one_white(folders):
    clean = np.full((16, 16, 1), 900 / 65535)
    noisy = clean + 400 / 65535 * (np.indices((16, 16, 1)).sum(0) % 2)  # up to 1300, its white
    for name, picture in (("dim", clean), ("bright", noisy)):
        (folders / name).mkdir()
        write_png(folders / name / "a.png", picture, depth=16)
    batch = batch_of(train_noisy="bright", train_target="dim", batch_size=1)
    assert batch["target"].unique().tolist() == pytest.approx([900 / 1300])
    assert batch["noisy"].unique().tolist() == pytest.approx([900 / 1300, 1])


def test_floats_of_a_pair_share_their_range(folders):
    for name, picture in (("float_clean", scene()), ("float_noisy", 3 * noisy_scene() - 1)):
        (folders / name).mkdir()
        write_tiff(folders / name / "a.tif", picture)
    batch = batch_of(train_noisy="float_noisy", train_target="float_clean", batch_size=1)
    span = (3 * noisy_scene() - 1).max() - (3 * noisy_scene() - 1).min()
    assert batch["target"].max() - batch["target"].min() < 1 / span


def test_validation_and_test(folders):
    data = PairFolder(**PAIRS, val_noisy="noisy", val_clean="clean", test_noisy="noisy", test_clean="clean")
    data.setup("fit")
    first = next(iter(data.val_dataloader()))
    assert first.keys() == {"noisy", "clean", "target", "index"}
    assert torch.equal(first["target"], first["clean"])
    data.setup("test")
    items = list(data.test_dataloader())
    assert [item.keys() for item in items] == [{"noisy", "clean", "index"}] * 3
    assert [str(path) for path in data.sources] == ["noisy/0.png", "noisy/1.png", "noisy/2.png"]


def test_two_noisy_ones_are_enough_to_validate(folders):
    data = PairFolder(**PAIRS, val_noisy="noisy", val_target="clean")
    data.setup("validate")
    assert next(iter(data.val_dataloader())).keys() == {"noisy", "target", "index"}
    assert PairFolder(**PAIRS).val_dataloader() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_target": None}, "give --data.train_noisy FOLDER and --data.train_target FOLDER"),
        ({"train_noisy": None}, "give --data.train_noisy FOLDER and --data.train_target FOLDER"),
        ({"val_noisy": "noisy"}, "--data.val_noisy FOLDER and --data.val_target or --data.val_clean FOLDER"),
        ({"train_target": "nowhere"}, "--data.train_target nowhere: no such folder"),
        ({"train_target": "fewer"}, "no picture of the same name for noisy/1.png, noisy/2.png (--data.train_noisy,"),
        (
            {"train_target": "others"},
            "noisy/0.png, noisy/1.png, noisy/2.png, others/a0.png, others/a1.png and 3 more (",
        ),
        ({"train_target": "twice"}, "twice/0.png and twice/0.tif have the same name"),
        ({"train_target": "sizes"}, "noisy/0.png has 24x20 pixels, sizes/0.png 24x21: crop"),
        ({"train_target": "deep"}, "noisy/0.png holds uint8, deep/0.png uint16: write both"),
        ({"train_target": "grey"}, "grey/0.png is grey, noisy/0.png is colour: set --data.channels"),
        ({"crop": 22}, "noisy/0.png and 3 more: 24x20 pixels, smaller than the crop of 22: set --data.crop 20"),
    ],
)
def test_what_cannot_work_is_known_before(folders, options, message):
    for name in ("fewer", "others", "twice", "sizes", "deep", "grey"):
        (folders / name).mkdir()
    write_png(folders / "fewer/0.png", scene(20, 24))
    for number in range(5):
        write_png(folders / f"others/a{number}.png", scene(20, 24))
    for number in range(3):
        write_png(folders / f"twice/{number}.png", scene(20 + number, 24))
        write_png(folders / f"sizes/{number}.png", scene(21, 24))
        write_png(folders / f"deep/{number}.png", scene(20 + number, 24), depth=16)
        write_png(folders / f"grey/{number}.png", scene(20 + number, 24, channels=1))
    write_tiff(folders / "twice/0.tif", scene(20, 24))
    with pytest.raises(UserError) as caught:
        PairFolder(**{**PAIRS, **options}).setup("fit")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_to_predict(folders):
    with pytest.raises(UserError, match="nothing to predict: use --data ImageFolder"):
        PairFolder().setup("predict")
