"""Values of options, and errors in one line."""

import argparse

import pytest

from torchdenoise.commands import compare, denoise, export
from torchdenoise.commands.arguments import SYNONYMS, Parser, data_range, fraction, positive, seconds
from torchdenoise.errors import UserError


@pytest.mark.parametrize(("text", "value"), [("2s", 2), ("500ms", 0.5), ("3min", 180), ("2", 2), (".5", 0.5)])
def test_times(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["0s", "-1s", "2h", "soon", "1.2.3s", ".s", ""])
def test_what_is_no_time(text):
    with pytest.raises(argparse.ArgumentTypeError, match="give a time above 0, such as 2s, 500ms or 3min"):
        seconds(text)


def test_one_level_is_white_and_two_are_black_and_white():
    assert data_range("4095") == 4095
    assert data_range("100,4095") == (100, 4095)
    for text in ("1,2,3", "white", "1,", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="give one number, or two: WHITE or BLACK,WHITE"):
            data_range(text)


def test_counts_begin_at_one():
    assert positive("1") == 1
    for text in ("0", "many", "2.5", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="give a whole number from 1 on"):
            positive(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recpe=x"], r"^unrecognized arguments: --recpe=x \(did you mean --recipe\?\); see demo --help$"),
        (["--count", "0"], r"^argument --count: give a whole number from 1 on; see demo --help$"),
        (["--rec", "x"], r"unrecognized arguments: --rec x"),  # options are not abbreviated
    ],
)
def test_a_parser_raises_one_line(words, message):
    parser = Parser("demo", "A demo.", "  demo --recipe x")
    parser.add_argument("--recipe")
    parser.add_argument("--count", type=positive)
    with pytest.raises(UserError, match=message):
        parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--method", "bm3d"], "--recipe bm3d?"),
        (["--model=bm3d"], "--recipe bm3d?"),
        (["--gpu"], "--device cuda?"),
        (["--cuda", "--recipe", "x"], "--device cuda?"),
        (["--sigma", "25"], "--noise-level 25?"),
        (["--noise_level", "25"], "--noise-level?"),
        (["--output_dir", "clean/"], "--output clean/?"),
        (["--level", "-1"], "--noise-level?"),
        (["--lr", "0.1"], "--set model.optimizer.lr=0.1?"),
        (["--width=64"], "--set model.network.width=64?"),
        (["--ckpt_path", "a.ckpt"], "--ckpt a.ckpt?"),
        (["--checkpoint=a.ckpt"], "--ckpt a.ckpt?"),
        (["--init_from", "a.ckpt"], "--ckpt a.ckpt?"),
    ],
)
def test_an_option_of_another_program_has_a_hint_at_ours(words, hint):
    parser = Parser("demo", "A demo.", "  demo --recipe x")
    for name in ("--recipe", "--device", "--noise-level", "--output", "--set", "--ckpt"):
        parser.add_argument(name)
    with pytest.raises(UserError) as error:
        parser.parse_args(words)
    assert f"(did you mean {hint})" in str(error.value)


def test_compare_is_hinted_at_its_own_way_to_say_it():
    for words, hint in (
        (["--sigma", "25"], "--noise gaussian:25?"),
        (["--set", "a=1"], "--recipes NAME=RECIPE:a=1?"),
        (["--ckpt", "a.ckpt"], "--recipes NAME=a.ckpt?"),
    ):
        with pytest.raises(UserError) as error:
            compare.parser().parse_args(["--recipes", "zsn2n", "-o", "x", *words])
        assert f"(did you mean {hint})" in str(error.value)


@pytest.mark.parametrize("option", ["--ckpt", "--ckpt_path", "--checkpoint"])
def test_export_is_hinted_at_its_word_without_an_option(option):
    with pytest.raises(UserError, match=r"\(did you mean CKPT without an option\?\)"):
        export.parser().parse_args([option, "a.ckpt", "-o", "a.onnx"])


def test_an_option_that_the_command_lacks_is_not_named():
    with pytest.raises(UserError, match=r"^unrecognized arguments: --force; see demo --help$"):
        Parser("demo", "A demo.", "  demo").parse_args(["--force"])


def test_a_synonym_names_an_option_of_denoise_compare_or_export():
    ours = {name for command in (denoise, compare, export) for name in command.parser()._option_names()}
    assert {option.split()[0] for option in SYNONYMS} <= ours


def test_fraction():
    assert [fraction(text) for text in ("0", "0.7", "1")] == [0, 0.7, 1]
    for text in ("-0.1", "1.1", "nan", "inf", "50%", "0,5", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=r"give a number from 0 to 1, such as 0\.5"):
            fraction(text)
