"""Checkpoints: what they hold, what reading one builds, and what it refuses."""

import contextlib
import os
import pickle
import sys
import zipfile

import pytest
import torch

from tests.denoisers.small_fits import Paired, Specialised, TwoStages, data, fit, picture, small, trainer
from torchdenoise.denoisers import ZSN2N, Denoiser, DenoisingLoss, SmallCNN
from torchdenoise.errors import CheckpointError, UserError
from torchdenoise.recipes import load_recipe, recipe_names
from torchdenoise.recipes.building import build_fit
from torchdenoise.stored_recipes import unknown_classes


class Weighted(DenoisingLoss):
    def __init__(self, weights):
        self.weights = weights

    def forward(self, denoise, batch, draws, progress):
        raise AssertionError("a step was taken")


def test_an_argument_that_no_checkpoint_can_hold_is_refused_before_the_first_step():
    with pytest.raises(UserError, match=r"Weighted\(weights=...\) is a Tensor, which a checkpoint cannot hold"):
        fit(small(loss=Weighted(torch.ones(3))))


@pytest.fixture
def checkpoint(tmp_path):
    """Return the path of a checkpoint of a narrow network for grey pictures, and its result for one."""
    model, path = small(), tmp_path / "fitted.ckpt"
    fit(model, picture(1), steps=3).save_checkpoint(path)
    return path, model.restore(picture(1))


def edited(path, **changes):
    """Write new values into the recipe of a checkpoint."""
    content = torch.load(path, weights_only=True)
    content["torchdenoise"]["recipe"].update(changes)
    torch.save(content, path)


@pytest.mark.parametrize("cls", [Denoiser, ZSN2N])
def test_load_gives_the_same_denoiser(checkpoint, cls):
    path, expected = checkpoint
    loaded = cls.load(path)
    assert type(loaded) is ZSN2N
    assert not loaded.training
    assert torch.equal(loaded.restore(picture(1)), expected)
    assert torch.equal(trainer().predict(loaded, datamodule=data(picture(1)))[0], expected)


def test_the_trainer_reads_the_same_checkpoint_into_a_fresh_denoiser(checkpoint):
    path, expected = checkpoint
    (result,) = trainer().predict(small(), datamodule=data(picture(1)), ckpt_path=path)
    assert torch.equal(result, expected)


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("dump", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing, protocol=2))])
def test_code_in_a_checkpoint_is_not_run(tmp_path, dump):
    path, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    dump({"state_dict": {}, "torchdenoise": Payload(f"echo > '{trace}'")}, path)
    with pytest.raises(CheckpointError, match=r"evil.ckpt: not a checkpoint of torchdenoise \(it holds pickled code\)"):
        Denoiser.load(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes()) if dump is not torch.save else torch.load(path, weights_only=False)
    assert trace.exists()  # the payload would have worked


@pytest.mark.parametrize("content", [b"", b"hello world\n", b"PK\x03\x04 cut off", b"picture", b"\x80\x02.", bytes(9)])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "other.ckpt"
    path.write_bytes(content)
    message = r"other.ckpt: not a checkpoint of torchdenoise \(it cannot be read as one\)"
    with pytest.raises(CheckpointError, match=message):
        Denoiser.load(path)


@pytest.mark.parametrize("content", [{"state_dict": {}}, {"torchdenoise": {}}, [1], torch.ones(2)])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "other.ckpt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"other.ckpt: a checkpoint, but not one of torchdenoise"):
        Denoiser.load(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere.ckpt: no such checkpoint file"):
        Denoiser.load(tmp_path / "nowhere.ckpt")


def test_a_folder_in_place_of_a_checkpoint_is_answered_with_the_file_inside(tmp_path):
    with pytest.raises(CheckpointError, match=r": a folder: give the file of a checkpoint$"):
        Denoiser.load(tmp_path)
    inside = tmp_path / "checkpoints" / "last.ckpt"
    inside.parent.mkdir()
    inside.touch()
    with pytest.raises(CheckpointError) as caught:
        Denoiser.load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: a folder: give the file of a checkpoint, {inside}"


def test_a_class_that_is_not_imported_is_not_imported_by_a_checkpoint(checkpoint, tmp_path, monkeypatch):
    path, _ = checkpoint
    (tmp_path / "stranger.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    edited(path, class_path="stranger.Method")
    with pytest.raises(
        UserError, match=r"fitted with stranger.Method, which is not known here.*; .* add --import stranger"
    ):
        Denoiser.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"network": "stranger.Network"},
        {"loss": '{"class_path": "stranger.Loss"}'},
        {"optimizer": "stranger.optimizer"},
        {"optimizer": None},
        {"loss": {"class_path": "my.Loss", "init_args": {"inner": "stranger.Loss", "mode": "soft", "share": 0.5}}},
        {
            "network": {
                "class_path": "torchdenoise.data.image_folder.ImageFolder",
                "init_args": {"noise": "stranger.X:1"},
            }
        },
        {
            "readout": {
                "class_path": "torchdenoise.denoisers.parts.readouts.OnePass",
                "init_args": {},
                "dict_kwargs": {},
            }
        },
    ],
)
def test_no_text_of_a_checkpoint_is_imported(checkpoint, tmp_path, monkeypatch, change):
    path, _ = checkpoint
    (tmp_path / "stranger.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    content = torch.load(path, weights_only=True)
    recipe = content["torchdenoise"]["recipe"]
    recipe["init_args"] |= change
    (name,) = change
    unknown = list(unknown_classes(recipe, "--model"))
    assert {place.split(".")[1] for place, _ in unknown} == {name}
    assert "soft" not in dict(unknown).values()
    edited(path, init_args=recipe["init_args"])
    with contextlib.suppress(UserError):
        Denoiser.load(path)
    assert "stranger" not in sys.modules


def test_what_checkpoints_hold_is_known(checkpoint):
    path, _ = checkpoint
    assert not list(unknown_classes(torch.load(path, weights_only=True)["torchdenoise"]["recipe"], "--model"))
    for name in recipe_names():
        assert not list(unknown_classes(build_fit(load_recipe(name)).model.recipe(), "--model")), name


def test_load_on_a_class_takes_only_its_own(checkpoint):
    path, _ = checkpoint
    with pytest.raises(CheckpointError, match=r"fitted.ckpt: holds a ZSN2N, not a Specialised"):
        Specialised.load(path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: ZSN2N(SmallCNN(width=6)), "network was made with other arguments: add --model.network.width 5$"),
        (
            lambda: ZSN2N(SmallCNN(width=5, depth=4, residual=False)),
            "add --model.network.depth 3 --model.network.residual True$",
        ),
        (
            lambda: Specialised(SmallCNN(width=5)),
            "the checkpoint holds a ZSN2N, the model is a Specialised: give --model ZSN2N, or .* with --init_from$",
        ),
    ],
)
def test_weights_of_another_network_or_method_are_refused_by_name(checkpoint, model, message):
    path, _ = checkpoint
    with pytest.raises(UserError, match=message):
        trainer().predict(model(), datamodule=data(picture(1)), ckpt_path=path)


def recipe_of(model):
    return {"torchdenoise": {"recipe": model.recipe()}}


@pytest.mark.parametrize(
    ("theirs", "ours", "message"),
    [
        (
            (None, None),
            (None, SmallCNN()),
            "second is a network that is not set, the model's is a SmallCNN: leave out --model.second$",
        ),
        (
            (None, SmallCNN(width=9)),
            (None, None),
            "second is a SmallCNN, the model's is a network that is not set: add --model.second SmallCNN .*.width 9 ",
        ),
        ((None, SmallCNN(slope=0.1)), (None, SmallCNN()), "second was made with .* add --model.second.slope 0.1"),
        ((SmallCNN(1), None), (SmallCNN(3), None), r"first was made for pictures of 1 channel\(s\): give such"),
    ],
)
def test_every_network_of_a_method_is_compared_whatever_its_name(theirs, ours, message):
    with pytest.raises(UserError, match=message):
        TwoStages(*ours).on_load_checkpoint(recipe_of(TwoStages(*theirs)))


def test_arguments_that_change_no_network_can_differ():
    checkpoint = recipe_of(TwoStages(network_rate=1e-2))
    # As in a checkpoint from before the argument existed.
    del checkpoint["torchdenoise"]["recipe"]["init_args"]["first"]["init_args"]["slope"]
    model = TwoStages(loss=Paired())
    model.on_load_checkpoint(checkpoint)
    assert model.fitted


def test_a_checkpoint_without_a_recipe_is_refused():
    with pytest.raises(UserError, match="this checkpoint is not one of torchdenoise"):
        small().on_load_checkpoint({"state_dict": {}})


@pytest.mark.parametrize("what", ["validate", "test", "predict"])
def test_an_unfitted_network_does_not_predict(what):
    with pytest.raises(UserError, match="ZSN2N has no trained weights yet: give --ckpt_path FILE"):
        getattr(trainer(limit_val_batches=1), what)(small(), datamodule=data(noise="gaussian:25"))


def changed(path, change):
    """Write a changed checkpoint."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["state_dict"].popitem(),
        lambda content: content["state_dict"].update({"network.layers.0.weight": torch.zeros(1)}),
        lambda content: content["state_dict"].update({"network.layers.0.weight": "text"}),
        lambda content: content["state_dict"].update({"more": torch.zeros(1)}),
    ],
)
def test_weights_that_do_not_fit_are_one_line(checkpoint, change):
    path, _ = checkpoint
    changed(path, change)
    for use in (lambda: Denoiser.load(path), lambda: trainer().predict(small(), data(picture(1)), ckpt_path=path)):
        with pytest.raises(CheckpointError, match=r"the checkpoint's weights do not fit .*give one that") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_a_checkpoint_that_unpacks_to_more_than_it_holds_is_refused_before_it_is_read(checkpoint):
    path, _ = checkpoint
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content + bytes(10**6))
    with pytest.raises(CheckpointError, match="it is compressed"):
        Denoiser.load(path)


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (torch.zeros(2), "it holds a Tensor"),
        ({1: 2}, "a key is no text"),
        ({"class_path": 1}, "class_path is no text"),
        ({"class_path": "SmallCNN", "init_args": "x"}, "init_args is no mapping"),
        (deep(70), "more than 64 deep"),
    ],
)
def test_a_recipe_that_no_fit_wrote_is_one_line(checkpoint, damage, reason):
    path, _ = checkpoint
    changed(path, lambda content: content["torchdenoise"]["recipe"]["init_args"].update(network=damage))
    with pytest.raises(CheckpointError, match=rf"fitted.ckpt: a checkpoint whose recipe is damaged \({reason}\)"):
        Denoiser.load(path)
