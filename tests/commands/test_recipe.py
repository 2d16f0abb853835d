"""``torchdenoise recipe``."""

import errno

import pytest

from torchdenoise.recipes import recipe_path
from torchdenoise.recipes.files import FOLDER

OWN = """\
from torchdenoise import DenoisingLoss

class MyLoss(DenoisingLoss):
    def forward(self, denoise, batch, draws, progress):
        return {"mine": denoise(batch["noisy"]).abs().mean()}
"""


def test_a_copy_is_the_recipe_and_can_be_used(run, tmp_path):
    outcome = run("recipe", "cp", "zsn2n", "mine.yaml")
    assert (outcome.code, outcome.out, outcome.err) == (0, "written: mine.yaml\n", "")
    assert (tmp_path / "mine.yaml").read_bytes() == recipe_path("zsn2n").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
    assert run("recipe", "check", "mine.yaml").code == 0


def test_a_copy_makes_its_folder(run, tmp_path):
    assert run("recipe", "cp", "zsn2n", "new/mine.yaml").code == 0
    assert (tmp_path / "new/mine.yaml").read_bytes() == recipe_path("zsn2n").read_bytes()


def test_a_copy_replaces_no_file_unless_told(run, tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text("# work of days")
    outcome = run("recipe", "cp", "zsn2n", file)
    assert outcome.code == 2
    assert "mine.yml: exists already; add --overwrite, or choose another name" in outcome.err
    assert file.read_text() == "# work of days"
    assert run("recipe", "cp", "zsn2n", file, "--overwrite").code == 0
    assert file.read_bytes() == recipe_path("zsn2n").read_bytes()


def test_a_copy_is_that_of_the_package_even_beside_a_file_of_that_name(run, tmp_path):
    (tmp_path / "zsn2n").write_text("model: mine")
    assert run("recipe", "cp", "zsn2n", "mine.yaml").code == 0
    assert (tmp_path / "mine.yaml").read_bytes() == (FOLDER / "zsn2n.yaml").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: ACTION"),
        (["copy"], "invalid choice: 'copy'"),
        (["cp", "zsn2n"], "the following arguments are required: FILE; see torchdenoise recipe cp --help"),
        (["cp", "zsn2", "mine.yaml"], "zsn2: unknown recipe (did you mean zsn2n?)"),
        (["cp", "zsn2n", "mine.txt"], "mine.txt: the name of a recipe file must end in .yaml"),
        (["cp", "zsn2n", "mine"], "mine: the name of a recipe file must end in .yaml"),
        (["cp", "zsn2", "no/mine.yaml"], "zsn2: unknown recipe (did you mean zsn2n?)"),
        (["cp", "zsn2n", "folder.yaml", "--overwrite"], "folder.yaml: is a folder; choose another name"),
        (["cp", "zsn2n", "mine.yaml", "--overwrit"], "--overwrit (did you mean --overwrite?)"),
        (["show", "zsn2"], "zsn2: unknown recipe (did you mean zsn2n?)"),
        (["show", "mine.yaml"], "mine.yaml: unknown recipe"),
        (["check", "mine.yaml"], "mine.yaml: no such recipe file"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, words, message):
    (tmp_path / "folder.yaml").mkdir()
    outcome = run("recipe", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder.yaml"]


def test_a_place_that_cannot_be_written_is_one_line(run, tmp_path, monkeypatch):
    def refused(path, folder):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("torchdenoise.partial_files._locked", refused)
    outcome = run("recipe", "cp", "zsn2n", "mine.yaml")
    assert outcome.code == 2
    assert outcome.err == ("torchdenoise: mine.yaml: no permission to write in this folder; choose another place\n")


@pytest.mark.parametrize("words", [("recipe", "show", "auto"), ("fit", "--config", "auto")])
def test_the_default_is_no_recipe(run, words):
    outcome = run(*words)
    assert outcome.code == 2
    assert "auto is no recipe, but the choice between pretrained-fast and fast" in outcome.err
    assert outcome.err.count("\n") == 1


def test_show_prints_the_file(run):
    assert run("recipe", "show", "zsn2n").out == recipe_path("zsn2n").read_text()


def test_check_says_what_was_built(run):
    outcome = run("recipe", "check", "fast", "n2c", "nl-ridge")
    assert (outcome.code, outcome.err) == (0, "")
    fast, trained, classical = outcome.out.splitlines()
    assert fast.startswith("fast: all right: Recorrupted with SmallCNN, OnCrops, RecorruptedLoss, ")
    assert fast.endswith("; trained on one picture, 300 steps, Muon at 0.02 with WarmDown")
    assert trained.endswith("; trained on a data set, 50000 steps, Adam at 0.0003 with RampDown")
    assert classical == "nl-ridge: all right: NLRidge; nothing to fit"


def test_check_names_epochs(run, tmp_path):
    (tmp_path / "mine.yaml").write_text("model: Noise2Clean\ndata: ImageFolder\ntrainer: {max_epochs: 3}")
    assert run("recipe", "check", "mine.yaml").out.endswith(
        "; trained on a data set, 3 epochs, Adam at 0.0003 with RampDown\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width: 48", "widht: 48", "model.network.widht: no such option (did you mean model.network.width?)"),
        ("width: 48", "width: wide", "model.network.width"),
        ("SmallCNN", "SmalCNN", "model.network: no class torchdenoise.denoisers.SmalCNN fits here"),
        ("lr: 0.001", "lr: -1.0", "the optimizer or its schedule cannot be made: Invalid learning rate: -1.0"),
        ("gamma: 0.5", "gama: 0.5", "model.scheduler.gama: no such option"),
        ("max_steps: 2000", "max_step: 2000", "trainer.max_step: no such option (did you mean trainer.max_steps?)"),
        ("torchdenoise.denoisers.ZSN2NLoss", "mine.Loss", "if you trust it, add --import mine"),
        ("torchdenoise.denoisers.ZSN2NLoss", "os.system", "a recipe imports nothing"),
        ("model:", "modle:", "a recipe needs at least a `model`"),
        ("model:", "model: [", "not a YAML file"),
    ],
)
def test_check_names_what_is_wrong_in_one_line(run, tmp_path, old, new, message):
    text = recipe_path("zsn2n").read_text()
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    outcome = run("recipe", "check", "mine.yaml")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("torchdenoise: mine.yaml: ")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_check_goes_on_after_a_wrong_file(run, tmp_path):
    (tmp_path / "wrong.yaml").write_text("model: ZSN2")
    outcome = run("recipe", "check", "wrong.yaml", "missing.yaml", "zsn2n")
    assert outcome.code == 2
    assert outcome.out.startswith("zsn2n: all right: ")
    assert [line.split(": ")[1] for line in outcome.err.splitlines()] == ["wrong.yaml", "missing.yaml"]


def test_check_builds_classes_of_your_own(run, tmp_path):
    (tmp_path / "checked_loss.py").write_text(OWN)
    (tmp_path / "mine.yaml").write_text(
        "model: {class_path: ZSN2N, init_args: {loss: {class_path: checked_loss.MyLoss}}}"
    )
    outcome = run("--import", "checked_loss", "recipe", "check", "mine.yaml")
    assert (outcome.code, outcome.err) == (0, "")
    assert "ZSN2N with SmallCNN, MyLoss" in outcome.out
