"""``torchdenoise completion``: a script with which a shell completes commands, options, recipes and files by itself."""

import argparse
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torchdenoise.commands import COMMANDS, EXPERIMENTS
from torchdenoise.commands.arguments import Parser
from torchdenoise.recipes import AUTO, recipe_names

SHELLS = ("bash", "zsh", "fish")

EXAMPLES = """\
  eval "$(torchdenoise completion bash)"                                          in ~/.bashrc
  eval "$(torchdenoise completion zsh)"                                           in ~/.zshrc, after compinit
  torchdenoise completion fish > ~/.config/fish/completions/torchdenoise.fish

The script holds the recipes and options of this version: completing a word starts no Python."""

DESCRIPTIONS = {
    "fit": "fit a denoiser to one picture, or train it on a folder",
    "validate": "score a checkpoint on the validation pictures",
    "test": "score a checkpoint on clean pictures with synthetic noise",
    "predict": "denoise pictures with a checkpoint",
}
"""Of the commands of LightningCLI, which have thousands of options."""

_RECIPES = {
    "bash": """\
_torchdenoise_recipes() {{
  local before=""
  [[ "$1" == *,* ]] && before="${{1%,*}},"
  compgen -P "$before" -W "{names}" -- "${{1##*,}}"
  compgen -f -X '!*.yaml' -- "$1"
  compgen -f -X '!*.yml' -- "$1"
  compgen -d -- "$1"
}}
""",
    "zsh": """\
_torchdenoise_recipes() {{
  compset -P '*,'
  compadd -- {names}
  _files -g '*.(yaml|yml)'
}}
""",
    "fish": """\
function _torchdenoise_recipes
  set -l before (string match -r '.*,' -- (commandline -ct))
  for name in {names}
    echo "$before$name"
  end
  __fish_complete_suffix .yaml
end
""",
}
"""Functions of each shell that complete names of recipes, also the last one of several with commas, and YAML files."""
_CALLS = {"bash": "_torchdenoise_recipes", "zsh": "_torchdenoise_recipes", "fish": "(_torchdenoise_recipes)"}
_RECIPE_ARGUMENTS = ("recipe", "recipes", "config")


def parser() -> Parser:
    """Return the parser of the command's options."""
    options = Parser(
        "torchdenoise completion",
        "Print a script with which a shell completes commands, options, recipes and files.",
        EXAMPLES,
    )
    options.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")
    return options


def run(words: Sequence[str]) -> int:
    """Print the script for the shell that the words after ``completion`` name, and return the exit code."""
    shell = parser().parse_args(words[1:]).shell
    print(script(shell))
    return 0


def script(shell: str) -> str:
    """Return the script that makes a shell complete the words of all commands.

    Example:
        >>> "zsn2n-3000" in script("bash")
        True
    """
    import shtab

    every = _every_command()
    for action in _actions(every):
        _complete(action, shtab)
    text: str = shtab.complete(every, shell, preamble=_RECIPES[shell].format(names=" ".join([AUTO, *recipe_names()])))
    return text.replace('"(*):', '"*:')  # shtab's zsh completes only the first of several words


def _every_command() -> argparse.ArgumentParser:
    """Return one parser of all commands, as shtab needs it."""
    every = argparse.ArgumentParser("torchdenoise")
    every.add_argument("--version", "-V", action="store_true", help="show the version")
    every.add_argument("--import", metavar="MODULE", help="import your own module first")
    commands = every.add_subparsers()
    for name, module in COMMANDS.items():
        if module == EXPERIMENTS:
            continue
        own: Parser = importlib.import_module(module).parser()
        commands.add_parser(name, parents=[own], add_help=False, help=own.description)
    for name, line in DESCRIPTIONS.items():
        options = commands.add_parser(name, help=line)
        options.add_argument("--config", "-c", help="recipe: name or YAML file")
        options.add_argument("--ckpt_path", type=Path, help="checkpoint")
        options.add_argument("--model", help="class of the denoiser")
        options.add_argument("--data", help="class of the data module")
        options.add_argument("--data.path", type=Path, help="the one picture")
        if name == "fit":
            options.add_argument("--init_from", type=Path, help="start from the weights of a checkpoint")
            options.add_argument("--trainer.max_steps", help="number of steps")
        if name == "predict":
            options.add_argument("--output", "-o", type=Path, help="file or folder of the results")
            options.add_argument("--overwrite", action="store_true", help="replace outputs that exist already")
    return every


def _actions(options: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options and arguments of a parser and of its subcommands."""
    for action in options._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)
        else:
            yield action


def _complete(action: argparse.Action, shtab: Any) -> None:
    """Tell shtab what completes an argument, unless its choices do."""
    if action.dest in _RECIPE_ARGUMENTS:
        action.complete = _CALLS  # type: ignore[attr-defined]
    elif action.metavar == "DIR":
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif action.type is Path or action.metavar == "FILE":
        action.complete = shtab.FILE  # type: ignore[attr-defined]
