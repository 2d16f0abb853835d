"""The command ``torchdenoise``: looks at the first word and hands on; heavy imports happen behind it."""

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from torchdenoise import __version__
from torchdenoise.errors import KILLED, UserError, did_you_mean

HELP = f"""\
torchdenoise {__version__}: image denoising, from one noisy picture or from a data set.

usage: torchdenoise COMMAND ...        (torchdenoise COMMAND --help tells all about one)

for pictures
  denoise     make clean pictures of noisy ones
  compare     put methods side by side on the same noisy pictures: table and report
  list        show recipes, denoisers, losses, networks, downsamplers, noise

for experiments (LightningCLI: every argument of model, data and trainer is an option)
  fit         fit a denoiser to one picture, or train it on a folder
  validate    score it while training goes on
  test        score one set of weights on a folder of clean pictures with synthetic noise
  predict     write what a fitted denoiser makes of pictures

examples
  torchdenoise denoise noisy.png
  torchdenoise denoise scans/ -o clean/ --max-steps 1000
  torchdenoise compare --recipes zsn2n,zsn2m-star --data clean/ --noise gaussian:25 --crop 256 -o results/
  torchdenoise list losses
  torchdenoise fit --config zsn2n --data.path noisy.png --model.network.width 64
  torchdenoise predict --ckpt_path runs/version_0/checkpoints/last.ckpt --data.path noisy.png --output clean.png
"""

STOPPED = "torchdenoise: stopped; what was finished is kept"

COMMANDS = {
    "denoise": "torchdenoise.commands.denoise",
    "compare": "torchdenoise.commands.compare",
    "list": "torchdenoise.commands.listing",
    "fit": "torchdenoise.commands.experiments",
    "validate": "torchdenoise.commands.experiments",
    "test": "torchdenoise.commands.experiments",
    "predict": "torchdenoise.commands.experiments",
}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 our fault, 2 the user can mend it, 130 or 143 stopped.

    Example:
        >>> main(["--version"])
        torchdenoise 0.1.0
        0
    """
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if words[0] in ("-V", "--version"):
        print(f"torchdenoise {__version__}")
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that a terminal cannot show is no failure
    return reported(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    if words[0] not in COMMANDS:
        raise UserError(f"{words[0]}: unknown command{did_you_mean(words[0], COMMANDS)}; see torchdenoise --help")
    # Appended, so that a numpy.py in the working folder hides nothing; a user's ./my_loss.py is found.
    sys.path.append(str(Path.cwd()))
    command = importlib.import_module(COMMANDS[words[0]])
    return int(command.run(words))


def reported(work: Callable[[], int]) -> int:
    """Return the exit code of ``work``: its own, 2 after one line on what the user can mend, 130 after Ctrl-C.

    Example:
        >>> reported(lambda: 0)
        0
    """
    try:
        return work()
    except SystemExit as leaving:  # argparse's way out of --help, or `kill`
        code = int(leaving.code or 0)
        if code == KILLED:
            print(STOPPED, file=sys.stderr)
        return code
    except UserError as error:
        print(f"torchdenoise: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130
    except BrokenPipeError:  # `torchdenoise list | head`: nobody reads on, and that is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def script() -> None:
    """Run the command line as the console script does, and leave with its exit code."""
    sys.exit(main())
