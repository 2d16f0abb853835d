"""Recipes from strangers: what they may name, in every command and in Python, and what is refused before an import."""

import sys

import jsonargparse
import pytest
import torch
import yaml
from helpers import noisy_scene, write_png
from jsonargparse import ArgumentParser
from jsonargparse._common import parsing_settings

from torchdenoise import DenoisingLoss, RecipeError, UserError, denoise
from torchdenoise.recipes import load_recipe, recipe_names
from torchdenoise.recipes.building import build_fit
from torchdenoise.recipes.trust import may_name, only_trusted
from torchdenoise.user_code import IMPORT

EVIL = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\nclass Net: ...\ndef call(*_): ...\n"


def zsn2n(**arguments):
    """Return a recipe with arguments of the denoiser."""
    return {"model": {"class_path": "ZSN2N", "init_args": arguments}, "trainer": {"max_steps": 1}}


def trained_by(**arguments):
    """Return a recipe with arguments of the Trainer."""
    return {"model": {"class_path": "ZSN2N"}, "trainer": {"max_steps": 1, **arguments}}


LAMBDA = "lightning.pytorch.callbacks.LambdaCallback"
STRANGE = {
    "a command as optimizer": zsn2n(optimizer={"class_path": "os.system", "init_args": {"command": "touch os.ran"}}),
    "a function beside it": zsn2n(optimizer="evil.call"),
    "a class beside it": zsn2n(network="evil.Net"),
    "a class inside JSON": zsn2n(network='{"class_path": "evil.Net"}'),
    "a class inside another file": zsn2n(network="inner.yaml"),
    "a model": {"model": "evil.Net"},
    "a logger": trained_by(logger="evil.Net"),
    "a list of callbacks": trained_by(callbacks=[{"class_path": "evil.Net"}]),
    "a callback's function": trained_by(callbacks=[{"class_path": LAMBDA, "init_args": {"on_fit_start": "os.system"}}]),
    "a schedule's function": zsn2n(
        scheduler={"class_path": "torch.optim.lr_scheduler.LambdaLR", "init_args": {"lr_lambda": "evil.call"}}
    ),
    "a plugin": trained_by(plugins="evil.Net"),
    "a function of Lightning": zsn2n(
        optimizer={"class_path": "lightning.pytorch.cli.instantiate_class", "init_args": {"init": {}}}
    ),
    "a module reached by another": zsn2n(optimizer="torch.optim.lr_scheduler.partial"),
    "a noise": {**zsn2n(), "data": {"class_path": "SingleImage", "init_args": {"noise": "evil.Net:5"}}},
}
REFUSED = "not known here, and a recipe imports nothing: if you trust it, add --import "


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder, first in Python's search path, with evil modules and a recipe that is named inside another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(IMPORT, raising=False)
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    (tmp_path / "evil.py").write_text(EVIL)
    (tmp_path / "inner.yaml").write_text("class_path: evil.Net\n")
    return tmp_path


def check_refused(message, folder):
    assert REFUSED in message
    assert message.count("\n") <= 1
    assert list(folder.glob("*.ran")) == []
    assert "evil" not in sys.modules


@pytest.mark.parametrize("name", STRANGE)
def test_python_refuses_what_a_recipe_may_not_name(name, folder):
    for recipe in (STRANGE[name], folder / "strange.yaml"):
        (folder / "strange.yaml").write_text(yaml.safe_dump(STRANGE[name]))
        with pytest.raises(UserError) as caught:
            denoise(torch.rand(1, 3, 8, 8), recipe)
        check_refused(str(caught.value), folder)


@pytest.mark.parametrize("name", STRANGE)
def test_fit_refuses_what_a_recipe_may_not_name(name, folder, run):
    (folder / "strange.yaml").write_text(yaml.safe_dump(STRANGE[name]))
    write_png(folder / "x.png", noisy_scene())
    data = [] if "data" in STRANGE[name] else ["--data", "SingleImage"]
    outcome = run("fit", "--config", "strange.yaml", *data, "--data.path", "x.png")
    assert outcome.code == 2, outcome.err
    check_refused(outcome.err, folder)


@pytest.mark.parametrize(
    "words",
    [
        "denoise x.png --recipe strange.yaml",
        "compare --recipes a=strange.yaml --data x.png --noise gaussian:5 -o out",
    ],
)
def test_denoise_and_compare_refuse_it(words, folder, run):
    (folder / "strange.yaml").write_text(yaml.safe_dump(STRANGE["a command as optimizer"]))
    write_png(folder / "x.png", noisy_scene())
    outcome = run(*words.split())
    assert outcome.code == 2, outcome.err
    assert "os.system" in outcome.err
    check_refused(outcome.err, folder)


def test_a_picture_does_not_name_a_module(folder, run):
    (folder / "strange.yaml").write_text("model: {class_path: evil.png}\n")
    write_png(folder / "evil.png", noisy_scene())
    outcome = run("fit", "--config", "strange.yaml", "--data", "SingleImage", "--data.path", "evil.png")
    check_refused(outcome.err, folder)


def test_what_the_user_imports_may_be_named(folder, run):
    (folder / "own_optimizer.py").write_text(
        "from torch.optim import SGD\n\ndef slow(parameters):\n    return SGD(parameters, lr=1e-6)\n"
    )
    (folder / "own.yaml").write_text(yaml.safe_dump(zsn2n(optimizer="own_optimizer.slow")))
    write_png(folder / "x.png", noisy_scene())
    assert run("denoise", "x.png", "--recipe", "own.yaml").code == 2
    refused = run("--import", "own_optimizer", "denoise", "x.png", "--recipe", "own.yaml")
    assert "own_optimizer.slow" in refused.err  # it does not say that it returns an optimizer
    text = (folder / "own_optimizer.py").read_text().replace("(parameters):", "(parameters) -> SGD:")
    (folder / "own_optimizer.py").write_text(text)
    sys.modules.pop("own_optimizer")
    assert run("--import", "own_optimizer", "denoise", "x.png", "--recipe", "own.yaml").code == 0


def test_what_the_user_types_may_be_named(folder, run):
    (folder / "own_typed_loss.py").write_text(
        "from torchdenoise import DenoisingLoss\n\nclass Own(DenoisingLoss):\n"
        "    def forward(self, denoise, batch, draws, progress):\n"
        "        return {'own': denoise(batch['noisy']).square().mean()}\n"
    )
    write_png(folder / "x.png", noisy_scene())
    words = ("denoise", "x.png", "--recipe", "zsn2n", "--max-steps", "1", "--set", "model.loss=own_typed_loss.Own")
    outcome = run(*words)
    assert outcome.code == 0, outcome.err


@pytest.mark.slow
def test_everything_that_the_package_ships_may_be_named():
    for name in recipe_names():
        build_fit(load_recipe(name))


class Mild(DenoisingLoss):
    """A loss that the program has defined."""

    def forward(self, denoise, batch, draws, progress):
        return {}


def identity(image):
    """Stand beside a registered class."""
    return image


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("torchdenoise.denoisers.ZSN2N", True),
        ("torchdenoise.ZSN2N", True),
        ("torchdenoise.denoisers.parts.schedules.step_decay", True),
        (f"{__name__}.Mild", True),
        (f"{__name__}.identity", True),
        ("torch.optim.SGD", True),
        ("torch.optim.lr_scheduler.StepLR", True),
        ("lightning.pytorch.callbacks.EarlyStopping", True),
        ("lightning.pytorch.loggers.CSVLogger", True),
        ("lightning.pytorch.strategies.DDPStrategy", True),
        ("lightning.pytorch.plugins.MixedPrecision", True),
        ("lightning.pytorch.plugins.environments.SLURMEnvironment", True),
        ("lightning.pytorch.profilers.SimpleProfiler", True),
        ("torchdenoise.data.files.write_picture", False),
        ("torchdenoise.cli.main", False),
        ("torchdenoise.registry.sys.exit", False),
        ("torchdenoise.nothing", False),
        ("torch.optim.nothing", False),
        ("torch.nn.ReLU", False),
        ("torch.load", False),
        ("lightning.pytorch.Trainer", False),
        ("lightning.pytorch.cli.instantiate_class", False),
        ("builtins.eval", False),
        ("subprocess.Popen", False),
        (f"{__name__}.jsonargparse.ArgumentParser", False),
    ],
)
def test_what_may_be_named(path, expected):
    assert may_name(path) is expected


def test_the_callers_own_parsers_are_left_alone():
    before = dict(parsing_settings), jsonargparse.get_loader("yaml"), jsonargparse._optionals._config_read_mode
    with only_trusted():
        assert parsing_settings["import_paths_enforced"]
        with pytest.raises(ZeroDivisionError), only_trusted():
            raise ZeroDivisionError
        assert parsing_settings["import_paths_enforced"]
    after = dict(parsing_settings), jsonargparse.get_loader("yaml"), jsonargparse._optionals._config_read_mode
    assert before == after
    parser = ArgumentParser()
    parser.add_argument("--kind", type=type)
    assert parser.parse_args(["--kind=decimal.Decimal"]).kind.__name__ == "Decimal"


@pytest.mark.parametrize(("line", "remedy"), [("ckpt_path: http://localhost/evil.ckpt", "add --ckpt_path FILE"),
                                              ("weights_only: false", "weights_only must be true"),
                                              ("weights_only: 'no'", "weights_only must be true")])  # fmt: skip
def test_a_recipe_chooses_no_checkpoint_for_fit(line, remedy, run, tmp_path):
    (tmp_path / "strange.yaml").write_text(f"model: ZSN2N\n{line}\n")
    outcome = run("fit", "--config", "strange.yaml", "--data", "SingleImage", "--data.path", "x.png")
    assert outcome.code == 2
    assert remedy in outcome.err


@pytest.mark.parametrize(
    "text", ["model: &a [*a]", "[" * 50_000, "x: &a [1,1]\ny: &b [*a,*a]\n" * 9, "1: 2", "- 1\n" * 20_000]
)
@pytest.mark.parametrize("words", ["fit --config bomb.yaml", "denoise x.png --recipe bomb.yaml",
                                   "compare --recipes a=bomb.yaml --data x.png --noise gaussian:5 -o out"])  # fmt: skip
def test_a_yaml_bomb_is_one_line(text, words, run, tmp_path):
    (tmp_path / "bomb.yaml").write_text(text)
    write_png(tmp_path / "x.png", noisy_scene())
    outcome = run(*words.split())
    assert outcome.code == 2
    assert "bomb.yaml" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_mistake_in_an_optimizers_arguments_is_one_line():
    recipe = zsn2n(optimizer={"class_path": "torch.optim.SGD", "init_args": {"lr": -1.0}})
    with pytest.raises(RecipeError, match="the optimizer or its schedule cannot be made: Invalid learning rate"):
        denoise(torch.rand(1, 3, 8, 8), recipe)


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (
            trained_by(callbacks=[{"class_path": "EarlyStopping", "init_args": {"monitor": "loss"}}]),
            "trainer.callbacks",
        ),
        ({"model": {"class_path": "ZSN2N", "dict_kwargs": {"odd": 1}}}, "unexpected keyword argument 'odd'"),
        ({"model": "x" * 300_000}, r"model: .*xxx"),
    ],
)
def test_other_mistakes_are_one_line_too(recipe, reason):
    with pytest.raises(RecipeError, match=reason) as caught:
        denoise(torch.rand(1, 3, 8, 8), recipe)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_mapping_that_contains_itself_is_refused():
    recipe = zsn2n()
    recipe["model"]["init_args"]["network"] = recipe
    with pytest.raises(RecipeError, match="no plain mapping"):
        denoise(torch.rand(1, 3, 8, 8), recipe)


def test_a_mistake_in_the_trainers_arguments_is_one_line():
    with pytest.raises(RecipeError, match=r"trainer: .*profiler"):
        denoise(torch.rand(1, 3, 8, 8), trained_by(profiler="nothing"))
