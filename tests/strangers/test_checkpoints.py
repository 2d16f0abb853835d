"""Checkpoints of strangers: each command that takes one uses it, or refuses it in one line before it takes memory."""

import collections
import io
import os
import pickle
import random
import shlex
import sys
import zipfile

import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene, write_png
from PIL import Image

from tests.strangers.attempts import MARKER, Case, commands, make_attempts
from tests.strangers.damages import cuts, flips, no_files, writing

FILE = "x.ckpt"
FIT = shlex.split(
    "fit --config zsn2n --data.path noisy.png --model.network.width 4 --trainer.max_steps 2 --trainer.accelerator cpu"
)
COMMANDS = {
    "denoise": f"denoise noisy.png -o out/noisy.png --ckpt {FILE} --device cpu",
    "denoise further": f"denoise noisy.png -o out/noisy.png --ckpt {FILE} --recipe zsn2n --max-steps 1 --device cpu",
    "predict": f"predict --ckpt_path {FILE} --data.path noisy.png --output out/noisy.png --trainer.accelerator cpu",
    "test": f"test --ckpt_path {FILE} --data ImageFolder --data.test clean --data.noise gaussian:25 --data.workers 0 "
    "--trainer.accelerator cpu",
    "resume": f"fit --ckpt_path {FILE} --data.path noisy.png --trainer.max_steps 3 --trainer.accelerator cpu",
    "start": f"fit --config zsn2n --init_from {FILE} --data.path noisy.png --model.network.width 4 "
    "--trainer.max_steps 1 --trainer.accelerator cpu",
}
ALL = tuple(COMMANDS)
ALONE = ("denoise", "predict")
EVIL = f"import pathlib\npathlib.Path('{MARKER} as a module').touch()\nclass Net: ...\n"
RECIPE = ("torchdenoise", "recipe")
NETWORK = (*RECIPE, "init_args", "network")
WEIGHT = "network.layers.0.weight"


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def saved(content, **options):
    file, limit = io.BytesIO(), sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)  # for what is deeply nested
    torch.save(content, file, **options)
    sys.setrecursionlimit(limit)
    return file.getvalue()


def put(content, path, value):
    """Set what a path of keys leads to."""
    *first, last = path
    for key in first:
        content = content[key]
    content[last] = value


def taken(content, path):
    """Remove what a path of keys leads to."""
    *first, last = path
    for key in first:
        content = content[key]
    del content[last]


def keys_of(content, depth, path=()):
    """Yield the paths of the keys of mappings inside each other."""
    for key, value in content.items():
        yield (*path, key)
        if isinstance(value, dict) and len(path) + 1 < depth:
            yield from keys_of(value, depth, (*path, key))


def nested(depth, make):
    value = make(None)
    for _ in range(depth):
        value = make(value)
    return value


STRANGE = {
    "None": None,
    "a text": "x",
    "a number": -1,
    "nan": float("nan"),
    "a huge number": 10**30,
    "a list": [1],
    "a mapping": {},
    "a tensor": torch.zeros(2),
    "keys that are numbers": {1: 2},
    "an escape sequence": "\x1b[2J\x9b1m",
    "nested lists": nested(500, lambda inner: [inner]),
    "nested mappings": nested(
        500, lambda inner: {"class_path": "torchdenoise.denoisers.ZSN2N", "init_args": {"network": inner}}
    ),
}
NAMES = (
    "os.system",
    "builtins.eval",
    "subprocess.Popen",
    "evil.Net",
    "torch.nn.Linear",
    "torch.load",
    "SmallCNN",
    "torchdenoise.data.ImageFolder",
    "torchdenoise.denoisers.Denoiser",
    "torchdenoise.cli.main",
    "ran",
    "",
    ".",
    "a..b",
    "../evil.Net",
    "torchdenoise.noise.Gaussian",
    "\x1b[31mred",
    "<script>",
    "x" * 100_000,
)
SIZES = {
    "width": (10**5, 10**9, 10**30, 0, -1, 4.5, "4", True),
    "depth": (10**6, 10**9, 10**30, 1, None),
    "channels": (10**6, 10**18, -3, 2, 0),
    "slope": (float("nan"), 1e308, "x"),
    "residual": ("no", None),
    "more": (1,),
}


def hostile_pickles():
    """Yield (what, bytes) with code in them."""
    calls = {
        "os.system": Call(os.system, f"touch '{MARKER} by os'"),
        "eval": Call(eval, f"open('{MARKER} by eval', 'w')"),
        "exec": Call(exec, f"open('{MARKER} by exec', 'w')"),
        "open": Call(open, f"{MARKER} by open", "w"),
        "a module": Call(__import__, "evil"),
        "mkdir": Call(os.mkdir, f"{MARKER} by mkdir"),
        "fromfile": Call(np.fromfile, "noisy.png"),
        "a counter": collections.Counter("aab"),
    }
    for name, call in calls.items():
        yield f"{name} beside the weights", saved({"state_dict": {}, "torchdenoise": {}, "more": call})
        yield f"{name} alone", pickle.dumps(call, protocol=2)
    yield "a whole module", saved(torch.nn.Linear(1, 1))
    yield "an old format with code", saved({"a": calls["os.system"]}, _use_new_zipfile_serialization=False)


def archives(data):
    """Yield (what, bytes) with the parts of the file changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    top = next(iter(members)).split("/")[0]
    tensor = next(name for name in members if "/data/" in name)

    def packed(parts, method=zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        return file.getvalue()

    yield "packed", packed(members, zipfile.ZIP_DEFLATED)
    yield "a bomb in a tensor", packed({**members, tensor: bytes(2 << 30)}, zipfile.ZIP_DEFLATED)
    yield "a bomb beside", packed({**members, f"{top}/more": bytes(1 << 30)}, zipfile.ZIP_DEFLATED)
    yield "a bomb packed by LZMA", packed({**members, tensor: bytes(1 << 28)}, zipfile.ZIP_LZMA)
    for name in members:
        yield (
            f"without {name.partition('/')[2]}",
            packed({each: value for each, value in members.items() if each != name}),
        )
    yield "a short tensor", packed({**members, tensor: members[tensor][:3]})
    yield "a long tensor", packed({**members, tensor: members[tensor] * 9})
    yield "names that leave the folder", packed({f"../../{MARKER}/{name}": value for name, value in members.items()})
    yield "absolute names", packed({f"/{MARKER}/{name}": value for name, value in members.items()})
    yield "an empty archive", packed({})
    yield (
        "a hundred thousand members",
        packed({**members, **{f"{top}/data/m{number}": b"" for number in range(100_000)}}),
    )
    yield "another byte order", packed({**members, f"{top}/byteorder": b"big"})
    yield "no byte order", packed({**members, f"{top}/byteorder": b"\xff"})
    yield (
        "code as constants",
        packed({**members, f"{top}/constants.pkl": pickle.dumps(Call(os.system, f"touch {MARKER}"))}),
    )
    yield "a script", packed({**members, f"{top}/code/__torch__.py": b"import os\n"})
    # A central directory that promises other sizes than the members have.
    at = data.rfind(b"PK\x01\x02")
    for what, size in (("small", 1), ("huge", 2**31 - 1)):
        lying = data[: at + 24] + size.to_bytes(4, "little") + data[at + 28 :]
        yield f"a directory that says {what}", lying


def tensors():
    """Yield (what, tensor) in the place of a weight."""
    fine = torch.ones(4, 3, 3, 3)
    yield "nan", fine * float("nan")
    yield "inf", fine * float("inf")
    yield "half", fine.half()
    yield "double", fine.double()
    yield "complex", fine.to(torch.complex64)
    yield "integer", fine.int()
    yield "boolean", fine.bool()
    yield "sparse", fine.to_sparse()
    yield "transposed", torch.ones(3, 4, 3, 3).transpose(0, 1)
    yield "of no memory", torch.empty(4, 3, 3, 3, device="meta")
    yield "of one value, repeated 10^12 times", torch.ones(1).expand(10**12)
    yield "of one value, in the right shape", torch.ones(1).expand(4, 3, 3, 3)
    yield "of no dimension", torch.ones(())
    yield "empty", torch.ones(0)
    yield "with a gradient", fine.clone().requires_grad_()
    yield "a parameter", torch.nn.Parameter(fine)


EITHER, REFUSED = (0, 2), (2,)


def changed(data, change, *arguments):
    """Return the damage that writes a checkpoint with changed content."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    change(content, *arguments)
    return writing(FILE, saved(content))


def broken(data, chance):
    """Yield (what, damage, codes, commands that meet it) of files that are broken as such."""
    size = len(data)
    places = [*range(5), *range(29, 32), *range(63, 66), *range(1000, size, size // 12), *range(size - 23, size, 2)]
    for what, damage in [*cuts(FILE, places), *no_files(FILE)]:
        yield what, damage, REFUSED, [chance.choice(ALL)]
    for what, damage in flips(FILE, size, 40):
        yield what, damage, EITHER, [chance.choice(ALL)]
    for what, content in [*hostile_pickles(), *archives(data)]:
        codes = EITHER if what in UNCLEAR else REFUSED
        yield what, writing(FILE, content), codes, [chance.choice(ALONE), chance.choice(ALL)]


def edited(data, chance):
    """Yield the same of whole files in which a value is missing or another one."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    loops = keys_of(content["loops"], 5, ("loops",))
    for path in [*keys_of(content, 4), *loops]:
        names = ["resume"] if path[0] == "loops" else [chance.choice(ALL)]
        kind = chance.choice(list(STRANGE))
        yield f"without {'.'.join(path)}", changed(data, taken, path), EITHER, names
        yield f"{kind} as {'.'.join(path)}", changed(data, put, path, STRANGE[kind]), EITHER, names
    states = [(name,) for name in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks")]
    for path in [RECIPE, NETWORK, (*NETWORK, "init_args"), ("state_dict", WEIGHT), *states]:
        for kind, value in STRANGE.items():
            yield f"always {kind} as {'.'.join(path)}", changed(data, put, path, value), EITHER, [chance.choice(ALL)]
    for kind, tensor in tensors():
        damage = changed(data, put, ("state_dict", WEIGHT), tensor)
        yield f"a weight that is {kind}", damage, EITHER, [chance.choice(ALL)]


def lying(data, chance):
    """Yield the same of whole files that describe another model than they hold."""
    for name in NAMES:
        for part in (RECIPE, NETWORK):
            codes = EITHER if (name, part) == ("SmallCNN", NETWORK) else REFUSED
            damage = changed(data, put, (*part, "class_path"), name)
            yield f"class {name[:40]!r} as {part[-1]}", damage, codes, [chance.choice(ALONE)]
    for argument, value in [(argument, value) for argument, values in SIZES.items() for value in values]:
        whole = isinstance(value, int) and not isinstance(value, bool)
        codes = REFUSED if whole and (argument, value) != ("channels", 0) else EITHER
        yield f"{argument} {value}", changed(data, put, (*NETWORK, "init_args", argument), value), codes, ALONE
    for count, names in ((3, ALONE), (10**6, ["denoise"])):
        more = {f"more.{number}": 1 for number in range(count)}
        yield (
            f"{count} more weights",
            changed(data, lambda each, more: each["state_dict"].update(more), more),
            REFUSED,
            names,
        )
    for number in (999, 10**4000):
        damage = changed(data, put, ("torchdenoise", "format"), number)
        yield f"a format of {number.bit_length()} bits", damage, REFUSED, ALONE
    yield "unchanged", changed(data, lambda each: None), (0,), ALL


UNCLEAR = (
    "a counter beside the weights",
    "names that leave the folder",
    "absolute names",
    "a hundred thousand members",
    "no byte order",
    "another byte order",
    "code as constants",
    "a script",
    "a directory that says small",
    "a directory that says huge",
    "without .format_version",
    "without .storage_alignment",
    "without byteorder",
    "without version",
    "packed",
    "without .data/serialization_id",
    "a long tensor",
)


def check(folder, ended):
    """Yield what is wrong in a folder after a checkpoint was accepted."""
    if (folder / "out/noisy.png").exists():
        with Image.open(folder / "out/noisy.png") as image:
            if image.size != (28, 24):
                yield f"a result of {image.size}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_checkpoints_of_strangers(tmp_path, record_property):
    base = tmp_path / "base"
    (base / "clean").mkdir(parents=True)
    (base / "out").mkdir()
    write_png(base / "noisy.png", noisy_scene())
    write_png(base / "clean/0.png", scene())
    (base / "evil.py").write_text(EVIL)
    with commands(tmp_path) as runner:
        ended = runner.run(base, FIT, seconds=120)
        assert ended.code == 0, ended.err
        (base / "runs/version_0/checkpoints/last.ckpt").rename(base / FILE)
        found = [
            Case(f"{name}, {what}", damage, shlex.split(COMMANDS[name]), codes)
            for make in (broken, edited, lying)
            for what, damage, codes, names in make((base / FILE).read_bytes(), random.Random(0))
            for name in names
        ]
        count, wrong = make_attempts("checkpoints", found, base, runner, check)
    record_property("figure", count)
    assert not wrong, "\n".join([count, *wrong])
