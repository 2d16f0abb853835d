"""An ``argparse`` parser with one-line errors that suggest the nearest option, and types of option values."""

import argparse
import contextlib
import math
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from typing_extensions import override

from torchdenoise.errors import UserError, did_you_mean

CHECKPOINT_NAMES = "ckpt ckpt-path checkpoint checkpoint-path init-from resume resume-from-checkpoint weights"
"""What the option for a checkpoint is called, here in other commands or elsewhere."""
SYNONYMS = {
    "--recipe": "method model algorithm denoiser config",
    "--recipes": "method methods model models algorithm algorithms denoisers",
    "--ckpt": CHECKPOINT_NAMES,
    "--recipes NAME=": CHECKPOINT_NAMES,
    "CKPT without an option": CHECKPOINT_NAMES,
    "--device cuda": "gpu cuda",
    "--device cpu": "cpu",
    "--output": "out outdir output-dir out-dir outfile dest destination save",
    "--noise-level": "sigma level std noise-std noise-sigma",
    "--noise gaussian:": "sigma level std noise-std noise-sigma",
    "--set model.optimizer.lr=": "lr learning-rate",
    "--set model.optimizer=": "optimizer optim",
    "--set model.network.width=": "width",
    "--recipes NAME=RECIPE:": "set",
    "--max-steps": "steps iterations iters epochs num-steps",
    "--workers": "jobs num-workers",
    "--overwrite": "force",
}
"""Option of ours -> what other programs call it; an unfinished value takes the one that was given."""
Number = TypeVar("Number", int, float)


def positive(text: str) -> int:
    """Return an option's value as a positive integer."""
    return _within(text, int, 1, math.inf, "a whole number from 1 on")


def batch(text: str) -> int | str:
    """Return an option's value as a positive integer, or ``auto``.

    Example:
        >>> batch("8"), batch("auto")
        (8, 'auto')
    """
    return text if text == "auto" else _within(text, int, 1, math.inf, "a whole number from 1 on, or auto")


def count(text: str) -> int:
    """Return an option's value as an integer that is not negative.

    Example:
        >>> count("0")
        0
    """
    return _within(text, int, 0, math.inf, "a whole number from 0 on")


def percentage(text: str) -> int:
    """Return an option's value as an integer from 1 to 100.

    Example:
        >>> percentage("95")
        95
    """
    return _within(text, int, 1, 100, "a whole number from 1 to 100")


def fraction(text: str) -> float:
    """Return an option's value as a number from 0 to 1.

    Example:
        >>> fraction("0.7")
        0.7
    """
    return _within(text, float, 0, 1, "a number from 0 to 1, such as 0.5")


def not_negative(text: str) -> float:
    """Return an option's value as a finite number that is not negative.

    Example:
        >>> not_negative("12")
        12.0
    """
    return _within(text, float, 0, sys.float_info.max, "a number from 0 on, such as 12")


UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "": 1.0}


def seconds(text: str) -> float:
    """Return an option's value, such as 2s, 500ms, 3min or 2, in seconds.

    Example:
        >>> seconds("500ms"), seconds("3min")
        (0.5, 180.0)
    """
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ms|s|min|)", text)
    if match is None or not float(match[1]) > 0:
        raise argparse.ArgumentTypeError("give a time above 0, such as 2s, 500ms or 3min")
    return float(match[1]) * UNITS[match[2]]


def data_range(text: str) -> float | tuple[float, float]:
    """Return an option's value as the white level, or as the black and the white level.

    Example:
        >>> data_range("4095"), data_range("100,4095")
        (4095.0, (100.0, 4095.0))
    """
    with contextlib.suppress(ValueError):
        first, *others = (float(word) for word in text.split(","))
        if len(others) < 2:
            return (first, others[0]) if others else first
    raise argparse.ArgumentTypeError("give one number, or two: WHITE or BLACK,WHITE")


def _within(text: str, read: Callable[[str], Number], low: float, high: float, wanted: str) -> Number:
    """Return a number in a range; the error of any other text says what is ``wanted``."""
    with contextlib.suppress(ValueError):
        number = read(text)
        if low <= number <= high:
            return number
    raise argparse.ArgumentTypeError(f"give {wanted}")


class Parser(argparse.ArgumentParser):
    """A parser that raises UserError instead of printing its usage and exiting."""

    def __init__(self, prog: str, description: str, examples: str, **others: Any) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **others,  # of a parser of a subcommand, which argparse makes
        )

    @override
    def error(self, message: str) -> NoReturn:
        """Raise the message as UserError; for an unknown option it suggests the nearest one."""
        hint = ""
        if match := re.search(r"unrecognized arguments: (\S+(?: [^-\s]\S*)?)", message):
            hint = self._suggested(*re.split("[= ]", match[1], maxsplit=1))
        raise UserError(f"{message}{hint}; see {self.prog} --help")

    def _suggested(self, word: str, value: str = "") -> str:
        """Return a hint at the option that an unknown one stands for, or is closest to."""
        known = list(self._option_names())
        name = word.lstrip("-").lower().replace("_", "-")
        for option, others in SYNONYMS.items():
            if word.startswith("--") and name in others.split() and option.split()[0] in known:
                ours = option + value if option[-1] in "=:" else option if " " in option else f"{option} {value}"
                return f" (did you mean {ours.rstrip()}?)"
        return did_you_mean(word, [each for each in known if each.startswith("--") or not word.startswith("--")])

    def _option_names(self) -> Iterator[str]:
        """Yield all options and the names of what has none, those of subcommands too."""
        for action in self._actions:
            yield from action.option_strings or [str(action.metavar)]
            if isinstance(action, argparse._SubParsersAction):
                for each in action.choices.values():
                    yield from each._option_names()


def add_channels_option(options: Parser) -> None:
    """Add the option that says whether the channels of a frame are one image."""
    options.add_argument(
        "--channels",
        choices=("auto", "together", "apart"),
        default="auto",
        help="the channels C of a frame together, or each alone (default: auto, alone if their noise differs)",
    )


def add_worker_options(options: Parser, job: str) -> None:
    """Add the options that say who does the work; ``job`` is one piece of it, in a word."""
    options.add_argument("--workers", type=positive, default=1, metavar="N", help=f"{job}s at a time (default: 1)")
    options.add_argument("--threads", type=positive, metavar="N", help=f"threads per {job} (default: all cores)")
    options.add_argument(
        "--dask", metavar="ADDRESS", help=f"do the {job}s on a Dask cluster that sees the same files (extra [cluster])"
    )
