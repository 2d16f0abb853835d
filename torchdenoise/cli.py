"""The command ``torchdenoise``: reads the first word and runs that command's module, which imports what it needs."""

import contextlib
import errno
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torchdenoise
from torchdenoise.commands import COMMANDS
from torchdenoise.errors import KILLED, UserError, did_you_mean, printable
from torchdenoise.paths import write_problem
from torchdenoise.standard_streams import lasting_streams

HELP = """\
torchdenoise: image denoising, from one noisy picture or from a data set.

usage: torchdenoise [--import MODULE] COMMAND ...        (torchdenoise COMMAND --help shows all options)

for pictures
  denoise     write a clean version of each noisy picture
  compare     compare methods on the same noisy pictures: table and report
  inspect     say what the noise of pictures is, and which recipes suit it: table, JSON, page
  list        show recipes, denoisers, losses, networks, downsamplers, noise; with --json as JSON
  export      write a trained network as a file for other programs: ONNX, torch.export, bioimage.io
  recipe      copy a recipe to a file of your own, check one, print one
  cite        print BibTeX of the papers that a recipe is made of
  completion  print a script that completes words in bash, zsh or fish

for experiments (LightningCLI: every argument of model, data and trainer is an option)
  fit         fit a denoiser to one picture, or train it on a folder
  validate    score a checkpoint on the validation pictures
  test        score a checkpoint on clean pictures with synthetic noise
  predict     denoise pictures with a checkpoint

your own classes
  --import MODULE    import your module first, e.g. ./my_loss.py as my_loss; then its classes work in every command.
                     Give it once for each module, or list them in the environment: TORCHDENOISE_IMPORT=my_loss,my_net

examples
  torchdenoise denoise noisy.png
  torchdenoise denoise scans/ -o clean/ --max-steps 1000
  torchdenoise compare --recipes zsn2n,zsn2m-star --data clean/ --noise gaussian:25 --crop 256 -o results/
  torchdenoise inspect noisy.png --html noise.html
  torchdenoise list losses
  torchdenoise export torchdenoise:colour -o colour.onnx
  torchdenoise recipe cp fast mine.yaml
  torchdenoise cite fast
  torchdenoise fit --config zsn2n --data.path noisy.png --model.network.width 64
  torchdenoise predict --ckpt_path runs/version_0/checkpoints/last.ckpt --data.path noisy.png --output clean.png
  torchdenoise --import my_loss fit --config zsn2n --data.path noisy.png --model.loss MyLoss
  torchdenoise --import my_loss denoise noisy.png --ckpt runs/version_0/checkpoints/last.ckpt
"""

_SURROUNDINGS = {
    errno.ENAMETOOLONG: "the name is too long; check it",
    errno.EMFILE: "too many open files for this shell: raise the limit with `ulimit -n 256`",
    errno.ENFILE: "too many open files on this machine; close some programs",
}
"""What the system refuses, and the remedy."""
STOPPED = "torchdenoise: stopped; finished results are kept"


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a bug, 2 an error of the user, 130 or 143 stopped.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        torchdenoise ...
        0
    """
    words = list(sys.argv[1:] if args is None else args)
    with lasting_streams() as output, _short_warnings():
        code = reported(lambda: _run(words))
        output.flush()
        if output.error is None or isinstance(output.error, BrokenPipeError):  # `| head` has read enough
            return code
        print(f"torchdenoise: standard output: {write_problem(output.error)}; the work is done", file=sys.stderr)
        return code or 2


def _run(words: Sequence[str]) -> int:
    from torchdenoise.user_modules import imported, split_imports

    modules, words = split_imports(words)
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if words[0] in ("-V", "--version"):
        print(f"torchdenoise {torchdenoise.__version__}")
        return 0
    if words[0] not in COMMANDS:
        raise UserError(f"{words[0]}: unknown command{did_you_mean(words[0], COMMANDS)}; see torchdenoise --help")
    _check_working_folder()
    with imported(modules):
        command = importlib.import_module(COMMANDS[words[0]])
        return reported(lambda: int(command.run(words)))  # here, because afterwards nobody knows what was imported


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """Print the warnings of this package in one line, without the line of code that gives them."""
    package = Path(__file__).parent
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_short(message: Warning | str, category: type[Warning], filename: str, *where: Any) -> None:
            if Path(filename).is_relative_to(package):
                print(printable(f"warning: {message}"), file=sys.stderr)
            else:
                show(message, category, filename, *where)

        warnings.showwarning = show_short  # type: ignore[assignment]
        yield


def _check_working_folder() -> None:
    """Raise UserError if the working folder was removed: no path can be resolved then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the working folder was removed: change to one that exists") from None


def reported(work: Callable[[], int]) -> int:
    """Return the exit code of ``work``; after an error of the user print one line and return 2, after Ctrl-C 130.

    An error inside the user's own code is printed with its file and line; a bug of ours keeps its traceback.

    Example:
        >>> reported(lambda: 0)
        0
    """
    try:
        return work()
    except SystemExit as leaving:  # argparse after --help, or `kill`
        code = int(leaving.code or 0)
        if code == KILLED:
            print(STOPPED, file=sys.stderr)
        return code
    except UserError as error:
        print(printable(f"torchdenoise: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _SURROUNDINGS:
            name = f"{error.filename}: " if isinstance(error.filename, str) else ""
            print(printable(f"torchdenoise: {name}{_SURROUNDINGS[error.errno]}"), file=sys.stderr)
            return 2
        from torchdenoise.user_code import TRACEBACK, describe_error, find_error

        cause = find_error(error)
        if cause is None or os.environ.get(TRACEBACK):
            raise
        print(f"torchdenoise: {describe_error(cause)}", file=sys.stderr)
        print(f"fix it there; {TRACEBACK}=1 shows the whole traceback", file=sys.stderr)
        return 2


def script() -> None:
    """Run the command line as the console script does, and exit with its code."""
    sys.exit(main())
