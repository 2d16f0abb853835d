"""Recipes of strangers: each command that takes one follows it, or refuses it in one line; no code of it is run."""

import copy
import random
import shlex

import pytest
import yaml
from helpers import noisy_scene, scene, write_png

from tests.strangers.attempts import MARKER, Case, commands, make_attempts
from tests.strangers.damages import cuts, flips, no_files, writing
from torchdenoise.recipes import load_recipe, recipe_names
from torchdenoise.recipes.files import recipe_path

FILE = "x.yaml"
COMMANDS = {
    "denoise": f"denoise noisy.png -o out/noisy.png --recipe {FILE} --max-steps 1 --device cpu --threads 1",
    "fit": f"fit --config {FILE} --data.path noisy.png --trainer.max_steps 1 --trainer.accelerator cpu",
    "compare": f"compare --recipes a={FILE} --data clean --noise gaussian:25 --max-steps 1 --threads 1 --device cpu "
    "-o res",
    "check": f"recipe check {FILE}",
    "cite": f"cite {FILE}",
}
ALL = tuple(COMMANDS)
EVIL = f"""import pathlib
pathlib.Path('{MARKER} as a module').touch()
class Net:
    def __init__(self, *_, **__): pathlib.Path('{MARKER} as a class').touch()
def call(*_, **__): pathlib.Path('{MARKER} as a function').touch()
"""
SHELL = {"class_path": "os.system", "init_args": {"command": f"touch '{MARKER} by os'"}}
NETWORK = ("model", "init_args", "network")
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
TEXTS = {
    "laughing aliases": f"a0: &a0 [x, x, x]\n{LAUGHS}",
    "an alias in itself": "model: &a [*a]",
    "a mapping in itself": "model: &a {class_path: ZSN2N, init_args: *a}",
    "a merge with itself": "&a {<<: *a}",
    "deep lists": "[" * 100_000,
    "deep mappings": "{a: " * 50_000,
    "deep lines": "- " * 50_000,
    "many values": "- 1\n" * 50_000,
    "a large text": "a: 1\n" * 200_000,
    "a long number": "model: " + "1" * 200_000,
    "a long key": "x" * 200_000 + ": 1",
    "python code": f"model: !!python/object/apply:os.system [touch {MARKER}]",
    "a python name": "model: !!python/name:os.system",
    "a python module": "model: !!python/module:evil",
    "a python object": "model: !!python/object/new:evil.Net []",
    "an unknown tag": "model: !include /etc/passwd",
    "two documents": "model: ZSN2N\n---\nmodel: ZSN2N",
    "a null character": "model: ZSN2N\0",
    "tabs": "model:\n\tclass_path: ZSN2N",
    "a date as key": "2001-01-01: 1",
    "a list as key": "? [model]\n: ZSN2N",
    "a set": "model: !!set {ZSN2N}",
    "binary": "model: !!binary aGVsbG8=",
    "JSON": '{"model": "ZSN2N"}',
    "a template": "model: {{ evil.call() }}",
    "variables": "model: ${oc.env:HOME}${jndi:ldap://x}",
    "escape sequences": 'model: "\\e[2J\\x9b1m\\a"',
    "HTML": "model: <script>alert(1)</script>",
    "a right-to-left mark": 'model: "\\u202eN2NSZ"',
    "half a surrogate": 'model: "\\ud800"',
    "a text": "ZSN2N",
    "a number": "1",
    "a list": "[model]",
    "nothing": "{}",
    "another include": f"__default_config__: {FILE}\nmodel: ZSN2N",
    "itself as config": f"config: {FILE}\nmodel: ZSN2N",
    "itself as network": f"model: {{class_path: ZSN2N, init_args: {{network: {FILE}}}}}",
    "evil as config": "config: evil.py\nmodel: ZSN2N",
    "python in a template of a format": 'model: "{0.__class__.__init__.__globals__}"',
}
NAMES = (
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "evil.Net",
    "evil.call",
    "evil",
    "torch.load",
    "runpy.run_path",
    "torch.hub.load",
    "importlib.import_module",
    "lightning.pytorch.cli.instantiate_class",
    "torchdenoise.cli.main",
    "evil.py",
    "./evil.py",
    "torchdenoise.registry.sys.modules",
    "torch.optim.lr_scheduler.partial",
    "",
    ".",
    "a..b",
    "evil:Net",
    "x" * 3000,
    "\x1b[31mred",
    "<script>",
    "http://localhost:9/evil.yaml",
    "file:///etc/passwd",
    "/dev/zero",
    "-",
    "~",
    "*",
)
PLACES = {
    "model": ("model",),
    "network": NETWORK,
    "loss": ("model", "init_args", "loss"),
    "optimizer": ("model", "init_args", "optimizer"),
    "scheduler": ("model", "init_args", "scheduler"),
    "readout": ("model", "init_args", "readout"),
    "data": ("data",),
    "logger": ("trainer", "logger"),
    "callbacks": ("trainer", "callbacks"),
    "plugins": ("trainer", "plugins"),
    "strategy": ("trainer", "strategy"),
    "profiler": ("trainer", "profiler"),
    "accelerator": ("trainer", "accelerator"),
}
VALUES = (
    None,
    -1,
    0,
    10**30,
    -(10**30),
    float("nan"),
    float("inf"),
    1e308,
    True,
    "x",
    [],
    [[]],
    {},
    {"a": {"b": 1}},
    "\x1b[2J",
    "<script>",
    "1e5000",
    "=1+2",
    [1] * 60,
)
SIZES = {
    (*NETWORK, "init_args", "width"): (10**9, 10**5, 10**30),
    (*NETWORK, "init_args", "depth"): (1, 10**30),
    (*NETWORK, "init_args", "channels"): (10**9,),
    ("trainer", "max_steps"): (1e22, -5, "many"),
    ("trainer", "devices"): (10**6, -7, "x"),
    ("trainer", "num_nodes"): (3, 10**9),
    ("trainer", "precision"): ("64-true", 3, "x"),
    ("trainer", "accumulate_grad_batches"): (10**30, 0),
    ("trainer", "gradient_clip_val"): (-1.0, float("nan")),
    ("trainer", "default_root_dir"): ("/dev/null/x", "\0"),
    ("trainer", "limit_train_batches"): (10**30, -1.0),
    ("seed_everything",): (-1, 2**64, 1.5, "x"),
    ("data", "init_args", "noise"): (
        "gaussian:" + "9" * 400,
        "gaussian:nan",
        "|".join(["gaussian:5"] * 900),
        "evil.Net:5",
    ),
    ("data", "init_args", "path"): ("/dev/zero", "/etc/passwd", "../../x.png"),
    ("model", "init_args", "scheduler", "init_args", "step_size"): (0, 10**30, -1),
    ("model", "init_args", "optimizer", "init_args", "lr"): (-1.0, float("nan"), 1e308, "x"),
}


def with_value(recipe, path, value):
    """Return the YAML text of a recipe in which a path of keys leads to a value."""
    changed = copy.deepcopy(recipe)
    inner = changed
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = value
    return yaml.safe_dump(changed, allow_unicode=True)


def without(recipe, path):
    changed = copy.deepcopy(recipe)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return yaml.safe_dump(changed)


def keys_of(content, path=()):
    for key, value in content.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from keys_of(value, (*path, key))


EITHER, REFUSED = (0, 2), (2,)
KEYS = (
    "<script>",
    "\x1b[2J",
    "__class__",
    "class_path",
    "x" * 3000,
    "ckpt_path",
    "weights_only",
    "config",
    "=1+2",
    "a.b",
)


def broken(text, chance):
    """Yield (what, damage, codes) of files that are broken as such."""
    for what, damage in [*cuts(FILE, range(0, len(text), len(text) // 25)), *flips(FILE, len(text), 40)]:
        yield what, damage, EITHER
    for what, damage in no_files(FILE):
        yield what, damage, REFUSED
    for what, content in TEXTS.items():
        yield what, writing(FILE, content), EITHER if what in ("JSON", "another include") else REFUSED
    for name in recipe_names():
        lines = recipe_path(name).read_text().splitlines(keepends=True)
        dropped = chance.randrange(len(lines))
        yield f"{name} without line {dropped}", writing(FILE, "".join(lines[:dropped] + lines[dropped + 1 :])), EITHER


def naming(recipe, chance):
    """Yield the same of recipes that name what they may not."""
    for part, path in PLACES.items():
        many = part in ("callbacks", "plugins")
        yield f"a command as {part}", writing(FILE, with_value(recipe, path, [SHELL] if many else SHELL)), REFUSED
        for name in chance.sample(NAMES, 5):
            made = {"class_path": name, "init_args": {}} if chance.random() < 0.5 else name
            text = with_value(recipe, path, [made] if many else made)
            yield f"{name[:30]!r} as {part}", writing(FILE, text), EITHER


def valued(recipe, chance):
    """Yield the same of recipes with a value that is missing or another one."""
    for path in keys_of(recipe):
        value = chance.choice(VALUES)
        yield f"without {'.'.join(path)}", writing(FILE, without(recipe, path)), EITHER
        yield f"{value!r:.30} as {'.'.join(path)}", writing(FILE, with_value(recipe, path, value)), EITHER
    for path, value in [(path, value) for path, values in SIZES.items() for value in values]:
        yield f"{'.'.join(path)} {value!r:.40}", writing(FILE, with_value(recipe, path, value)), EITHER
    for key in KEYS:
        yield f"the key {key[:20]!r}", writing(FILE, with_value(recipe, (key,), "x")), EITHER


def check(folder, ended):
    """Yield what is wrong in a folder after a recipe was followed."""
    for path in folder.glob("res/table.md"):
        if any(not each.isprintable() and each != "\n" for each in path.read_text()):
            yield "control characters in table.md"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_recipes_of_strangers(tmp_path, record_property):
    base = tmp_path / "base"
    (base / "clean").mkdir(parents=True)
    (base / "out").mkdir()
    write_png(base / "noisy.png", noisy_scene())
    write_png(base / "clean/0.png", scene())
    (base / "evil.py").write_text(EVIL)
    text = recipe_path("zsn2n").read_text()
    (base / FILE).write_text(text)
    with commands(tmp_path) as runner:
        for words in COMMANDS.values():  # each follows the recipe that is not damaged
            ended = runner.run(base, shlex.split(words), seconds=120)
            assert ended.code == 0, ended.err
        recipe, chance = load_recipe("zsn2n"), random.Random(0)
        found = []
        for what, damage, codes in [*broken(text, chance), *naming(recipe, chance), *valued(recipe, chance)]:
            names = ALL if codes == REFUSED or what.startswith("trainer") else [chance.choice(ALL)]
            for name in names:  # of a comparison, 1 says that a job failed
                words = shlex.split(COMMANDS[name])
                right = {"compare": (*codes, 1), "cite": EITHER}.get(name, codes)  # `cite` builds nothing
                found.append(Case(f"{name}, {what}", damage, words, right))
        count, wrong = make_attempts("recipes", found, base, runner, check)
    record_property("figure", count)
    assert not wrong, "\n".join([count, *wrong])
