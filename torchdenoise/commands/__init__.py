"""The commands of ``torchdenoise``: modules with a function ``run(words) -> exit code``."""

EXPERIMENTS = "torchdenoise.commands.experiments"
"""The commands of LightningCLI, whose parser needs torch."""
COMMANDS = {
    "denoise": "torchdenoise.commands.denoise",
    "compare": "torchdenoise.commands.compare",
    "inspect": "torchdenoise.commands.inspect",
    "list": "torchdenoise.commands.listing",
    "export": "torchdenoise.commands.export",
    "recipe": "torchdenoise.commands.recipe",
    "cite": "torchdenoise.commands.cite",
    "completion": "torchdenoise.commands.completion",
    "fit": EXPERIMENTS,
    "validate": EXPERIMENTS,
    "test": EXPERIMENTS,
    "predict": EXPERIMENTS,
}
"""The module of each command."""
