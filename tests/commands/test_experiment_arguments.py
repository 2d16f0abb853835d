"""The words of the experiment commands, rewritten before LightningCLI reads them."""

from pathlib import Path

import pytest

from torchdenoise.commands.experiment_arguments import checkpoint_file, option_value, rewritten, take_output_options
from torchdenoise.errors import CheckpointError, RecipeError


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--data", "a"], "a"),
        (["--data=a=b"], "a=b"),
        (["--data.path", "x"], None),
        (["--data"], None),
        (["--data", "a", "--data", "b"], "a"),
        ([], None),
    ],
)
def test_the_value_of_an_option(words, value):
    assert option_value(words, "--data") == value


@pytest.mark.parametrize(("word", "file"), [("a.ckpt", "a.ckpt"), ("last", None), ("best", None)])
def test_words_that_lightning_resolves_are_no_files(word, file):
    assert checkpoint_file(["--ckpt_path", word]) == file


@pytest.mark.parametrize("word", ["last", "best"])
def test_a_word_that_another_process_would_have_to_know_is_refused(word):
    with pytest.raises(CheckpointError, match=f"--ckpt_path {word}: name the file, such as runs/.*/{word}.ckpt"):
        rewritten("fit", ["--config", "zsn2n", "--ckpt_path", word])


def test_a_picture_or_a_folder_is_no_kind_of_data(tmp_path):
    for path in (tmp_path, tmp_path / "a.png"):
        (tmp_path / "a.png").touch()
        with pytest.raises(
            RecipeError, match=r": no kind of data, such as ImageFolder: a picture is given by --data.p"
        ):
            rewritten("fit", ["--config", "zsn2n", "--data", str(path)])


def test_the_options_of_predict_are_taken_out():
    words = ["--data", "X", "-o", "out", "--overwrite", "--trainer.devices", "1"]
    assert take_output_options(words) == (["--data", "X", "--trainer.devices", "1"], Path("out"), True)
    assert take_output_options(["--data", "X"]) == (["--data", "X"], None, False)


@pytest.mark.parametrize(
    ("command", "added"),
    [("fit", []), ("validate", []), ("test", ["--verbose=false"]), ("predict", ["--return_predictions=false"])],
)
def test_our_own_callbacks_print_and_write_unless_asked_otherwise(command, added):
    words = ["--config", "zsn2n"]
    assert rewritten(command, words) == [*words, *added]
    assert rewritten("test", [*words, "--verbose", "true"]) == [*words, "--verbose", "true"]


@pytest.mark.parametrize("option", ["--ckpt", "--checkpoint", "--ckpt-path", "--weights", "--resume", "--init-from"])
def test_other_names_for_a_checkpoint_are_answered_with_ours(option):
    words = ["--config", "zsn2n", option, "a.ckpt"]
    remedy = "--ckpt_path a.ckpt to go on with its fit, or --init_from a.ckpt for a new fit from its weights"
    for command, given in (("fit", remedy), ("validate", "--ckpt_path a.ckpt"), ("test", "--ckpt_path a.ckpt")):
        with pytest.raises(RecipeError, match=f"^{command} has no {option}: give {given}$"):
            rewritten(command, words)
    with pytest.raises(RecipeError, match=r"^predict has no --ckpt: give --ckpt_path b.ckpt$"):
        rewritten("predict", ["--ckpt=b.ckpt"])
    assert rewritten("fit", ["--config", "zsn2n", "--data.path", "ckpt"])


def test_a_model_is_needed_except_for_help():
    with pytest.raises(RecipeError, match="fit needs a model: give --config RECIPE"):
        rewritten("fit", ["--data.path", "x.png"])
    for word in ("--help", "-h", "--print_config", "--model.help"):
        assert rewritten("fit", [word]) == [word]
