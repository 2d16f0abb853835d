import contextlib
import os
import pickle
import sys

import lightning
import pytest
import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import StepLR

from torchdenoise.data import SingleImage
from torchdenoise.denoisers import ZSN2N, Denoiser, DenoisingLoss, Network, SmallCNN, Stage
from torchdenoise.denoisers.parts.losses import mse
from torchdenoise.errors import CheckpointError, DataError, UserError
from torchdenoise.fitting import HYGIENE
from torchdenoise.recipes import load_recipe, recipe_names
from torchdenoise.recipes.building import build_fit
from torchdenoise.stored_recipes import unknown_classes


def picture(channels=3, seed=0):
    return torch.rand(1, channels, 8, 9, generator=torch.Generator().manual_seed(seed))


def trainer(steps=2, **options):
    return lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": steps, **options})


def data(image=None, **options):
    module = SingleImage(**options)
    module.use(picture() if image is None else image)
    return module


def fit(model, image=None, steps=2, **options):
    used = trainer(steps, **options)
    used.fit(model, datamodule=data(image))
    return used


class Plain(DenoisingLoss):
    """Draws a number, and keeps what it sees."""

    def __init__(self):
        self.seen = []

    def draw(self, batch, generator):
        return {"number": torch.rand((), generator=generator)}

    def forward(self, denoise, batch, draws, progress):
        denoised = denoise(batch["noisy"])
        self.seen.append({**batch, **draws, "denoised": denoised, "autocast": torch.is_autocast_enabled("cpu")})
        return {"fit": mse(denoised, draws["number"] * batch["noisy"])}


class Breaking(DenoisingLoss):
    def __init__(self, value="nan", at=0.5):
        self.value, self.at = float(value), at

    def forward(self, denoise, batch, draws, progress):
        denoised = denoise(batch["noisy"]).square().mean()
        return {"sound": denoised, "broken": denoised * (self.value if progress >= self.at else 1.0)}


class Paired(DenoisingLoss):
    requires = ("target",)

    def forward(self, denoise, batch, draws, progress):
        return {"fit": mse(denoise(batch["noisy"]), batch["target"])}


class Weighted(DenoisingLoss):
    def __init__(self, weights):
        self.weights = weights

    def forward(self, denoise, batch, draws, progress):
        raise AssertionError("a step was taken")


class TwoStages(Denoiser):
    def __init__(self, first=None, second=None, loss=None, network_rate=1e-3):
        super().__init__(
            lambda parameters: Adam(parameters, lr=network_rate), lambda optimizer: StepLR(optimizer, 1, 0.5)
        )
        self.first, self.second = first or SmallCNN(width=2), second
        self.loss = loss or Plain()
        self.network_rate = network_rate

    def stages(self):
        return [Stage(self.first, Plain()), Stage(self.second or self.first, self.loss)]


class Specialised(ZSN2N):
    pass


def small(channels=None, **options):
    return ZSN2N(SmallCNN(channels, width=5), **options)


# -- a fit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_broken_loss_stops_the_fit_and_says_where(value):
    with pytest.raises(UserError, match=r"at step 2 \(term broken, learning rate 0.001\): lower the rate"):
        fit(small(loss=Breaking(value)), steps=4)


def test_a_loss_that_breaks_in_a_later_stage_names_the_rate_of_that_stage():
    model = TwoStages(second=SmallCNN(width=2), loss=Breaking(at=0.0))
    with pytest.raises(UserError, match=r"at step 3 \(term broken, learning rate 0.001\)"):
        fit(model, steps=6)


def test_a_key_that_the_data_lack_is_named():
    with pytest.raises(UserError, match="Paired needs target beside the noisy image, and this data module gives noisy"):
        fit(small(loss=Paired()))


def test_without_a_number_of_steps_the_remedy_is_named():
    with pytest.raises(UserError, match="the number of steps is not known: give the Trainer max_steps"):
        fit(small(), steps=-1, max_epochs=1)


def test_an_argument_that_no_checkpoint_can_hold_is_refused_before_the_first_step():
    with pytest.raises(UserError, match=r"Weighted\(weights=...\) is a Tensor, which a checkpoint cannot hold"):
        fit(small(loss=Weighted(torch.ones(3))))


@pytest.mark.parametrize("part", ["optimizer", "scheduler"])
def test_the_name_of_a_function_is_refused(part):
    with pytest.raises(UserError, match=f"{part}: my.function is not callable: annotate what the function takes"):
        ZSN2N(**{part: "my.function"})


@pytest.mark.parametrize(("made_for", "given"), [(3, 1), (1, 3)])
def test_a_network_made_for_other_channels_is_refused(made_for, given):
    message = rf"have {given} channel\(s\), the network was made for {made_for}: .* model.network.channels={given}"
    with pytest.raises(UserError, match=message):
        fit(small(made_for), picture(given))


class Unsaid(Network):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 3, 1)

    def forward(self, image):
        return self.layer(image)


class Fixed(Unsaid):
    def __init__(self):
        super().__init__()
        self.channels = 3


def test_a_network_that_does_not_set_its_channels_is_named():
    with pytest.raises(DataError, match=r"^Unsaid does not set self.channels in its constructor: set it to the number"):
        fit(ZSN2N(Unsaid()))


def test_a_network_that_takes_no_number_of_channels_is_rebuilt_as_it_was(tmp_path):
    path = tmp_path / "fixed.ckpt"
    model = ZSN2N(Fixed())
    fit(model).save_checkpoint(path)
    assert torch.equal(ZSN2N.load(path).restore(picture()), model.restore(picture()))
    with pytest.raises(DataError, match=r"have 1 channel\(s\), the network was made for 3"):
        fit(ZSN2N(Fixed()), picture(1))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_network_without_a_number_of_channels_takes_that_of_the_pictures(channels):
    model = small()
    fit(model, picture(channels))
    assert model.network.channels == channels
    assert model.network.arguments["width"] == 5
    with pytest.raises(UserError, match="fit again"):
        fit(model, picture(channels + 1))


@pytest.mark.parametrize("again", [lambda model: model, lambda model: model.eval()])
def test_networks_learn_in_training_mode_also_after_an_earlier_fit(again):
    model, modes = TwoStages(second=SmallCNN(width=2)), []
    fit(model)
    for network in (model.first, model.second):
        network.register_forward_hook(
            lambda module, args, output: modes.append((module is model.first, module.training))
        )
    fit(again(model))
    assert modes == [(True, True), (True, False), (False, True)]  # learns, makes the guide, learns


def test_a_second_fit_uses_the_guide_of_its_own_first_stage():
    model = TwoStages(second=SmallCNN(width=2))
    for _ in range(2):
        model.loss.seen.clear()
        fit(model, steps=4)
        with torch.no_grad():
            assert torch.equal(model.loss.seen[-1]["guide"], model.first(picture()))


# -- randomness ------------------------------------------------------------------------------------------------------


def draws(seed, width=2, channels=3, steps=4, **options):
    torch.manual_seed(seed)
    model = ZSN2N(SmallCNN(width=width), Plain())
    fit(model, picture(channels, seed=width), steps, **options)
    return [seen["number"].item() for seen in model.loss.seen]


def test_draws_depend_on_the_seed_and_the_step_alone():
    numbers = draws(seed=1)
    assert numbers == draws(seed=1, width=3, channels=1)
    assert numbers == draws(seed=1, steps=6)[:4]
    assert len({*numbers, *draws(seed=2)}) == 8


def test_batches_whose_gradients_are_accumulated_have_their_own_draws():
    numbers = draws(seed=1, accumulate_grad_batches=2)
    assert len(set(numbers)) == len(numbers) == 8
    assert numbers[::2] == draws(seed=1)


def test_a_loss_runs_in_float32_and_its_network_in_bfloat16():
    model, inside = ZSN2N(SmallCNN(width=2), Plain()), []
    model.network.layers[0].register_forward_hook(lambda module, args, output: inside.append(output.dtype))
    fit(model, precision="bf16-mixed")
    assert set(inside) == {torch.bfloat16}
    for seen in model.loss.seen:
        assert {seen[name].dtype for name in ("noisy", "number", "denoised")} == {torch.float32}
        assert not seen["autocast"]
    assert model.network.layers[2].weight.is_contiguous(memory_format=torch.channels_last)


# -- checkpoints -----------------------------------------------------------------------------------------------------


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


def test_a_class_that_is_not_imported_is_not_imported_by_a_checkpoint(checkpoint, tmp_path, monkeypatch):
    path, _ = checkpoint
    (tmp_path / "stranger.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    edited(path, class_path="stranger.Method")
    with pytest.raises(
        UserError, match=r"fitted with stranger.Method, which is not known here; .* add --import stranger"
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
        (lambda: Specialised(SmallCNN(width=5)), "the checkpoint holds a ZSN2N, the model is a Specialised"),
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
        ((None, None), (None, SmallCNN()), "second is a network that is not set, the model's is a SmallCNN"),
        ((None, SmallCNN()), (None, None), "second is a SmallCNN, the model's is a network that is not set"),
        ((None, SmallCNN(slope=0.1)), (None, SmallCNN()), "second was made with .* add --model.second.slope 0.1"),
        ((SmallCNN(1), None), (SmallCNN(3), None), r"first was made for pictures of 1 channel\(s\)"),
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
