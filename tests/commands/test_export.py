"""``torchdenoise export``."""

import errno
import sys
from pathlib import Path

import pytest
import torch
from helpers import needs_onnx

from torchdenoise import load
from torchdenoise.denoisers import exporting

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
CONTENT = "in the file: the network SmallCNN in one pass; 1 channel(s), values in 0..1"


@pytest.mark.parametrize(
    ("name", "words"), [("net.pt2", ()), ("net.PT2", ()), ("net", ("--format", "pt2"))], ids=lambda value: str(value)
)
def test_a_program_of_torch(run, tmp_path, name, words):
    outcome = run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", name, *words)
    assert (outcome.code, outcome.err) == (0, "")
    content, check, written = outcome.out.splitlines()
    assert content == CONTENT
    assert check.startswith(f"checked by torch {torch.__version__} on five sizes: largest difference from torch ")
    assert written.startswith(f"written: {name} (a program of torch.export, 0.")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    image = torch.rand(1, 1, 5, 8)
    with (tmp_path / name).open("rb") as file:
        program = torch.export.load(file).module()
    torch.testing.assert_close(program(image), load(CHECKPOINTS / "zsn2n.ckpt")(image), atol=1e-6, rtol=0)


@needs_onnx
def test_onnx(run, tmp_path):
    outcome = run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", "net.onnx")
    assert (outcome.code, outcome.err) == (0, "")
    content, check, written = outcome.out.splitlines()
    assert content == CONTENT
    assert check.startswith("checked by ONNX Runtime 1.")
    assert float(check.split()[-1]) < 1e-5
    assert written.startswith("written: net.onnx (ONNX, opset 18, 0.0")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_a_file_is_replaced_only_if_told(run, tmp_path):
    (tmp_path / "net.pt2").write_text("work of days")
    outcome = run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", "net.pt2")
    assert outcome.code == 2
    assert "net.pt2: exists already; add --overwrite, or choose another name" in outcome.err
    assert (tmp_path / "net.pt2").read_text() == "work of days"
    assert run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", "net.pt2", "--overwrite").code == 0
    assert (tmp_path / "net.pt2").read_bytes()[:2] == b"PK"


def test_a_method_that_does_more_than_its_network(run, tmp_path):
    outcome = run("export", CHECKPOINTS / "fast.ckpt", "-o", "net.pt2")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    parts = "the domain Stabilized, the readout NonLocalRidge, what Recorrupted does around the network"
    assert f"a file holds a network, not {parts}: add --network-only" in outcome.err
    assert list(tmp_path.iterdir()) == []
    outcome = run("export", CHECKPOINTS / "fast.ckpt", "-o", "net.pt2", "--network-only")
    assert outcome.code == 0
    assert outcome.out.startswith(f"{CONTENT}; left out: {parts}\n")


def test_a_file_that_fails_the_check_is_not_left_behind(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    outcome = run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", "net.pt2")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "differ from torch's by 0, so it was not kept: try --format onnx" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["onnxscript", "onnxruntime"])
def test_a_missing_extra_of_onnx_is_one_line(run, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    outcome = run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", "net.onnx")
    assert outcome.code == 2
    assert outcome.err == "torchdenoise: ONNX needs an extra: pip install 'torchdenoise[onnx]'\n"


def test_a_missing_extra_of_bioimage_is_one_line(run, monkeypatch):
    for module in ("onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, sys)
    monkeypatch.setitem(sys.modules, "bioimageio.core", None)
    outcome = run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", "net.zip")
    assert outcome.code == 2
    assert outcome.err == "torchdenoise: bioimage.io needs an extra: pip install 'torchdenoise[bioimage]'\n"


def test_a_place_that_cannot_be_written_is_one_line(run, monkeypatch):
    def refused(path, folder):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("torchdenoise.partial_files._locked", refused)
    outcome = run("export", CHECKPOINTS / "zsn2n.ckpt", "-o", "net.pt2")
    assert outcome.code == 2
    assert outcome.err == "torchdenoise: net.pt2: no permission to write in this folder; choose another place\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: CKPT, -o/--output; see torchdenoise export --help"),
        (["a.ckpt"], "the following arguments are required: -o/--output"),
        (["a.ckpt", "-o", "a.png"], "a.png: the name must end in .onnx, .pt2, .zip, or add --format"),
        (["a.ckpt", "-o", "a", "--format", "tflite"], "invalid choice: 'tflite'"),
        (["a.ckpt", "-o", "no/a.pt2"], "a.ckpt: no such file"),
        (["a.ckpt", "-o", "wrong.ckpt"], "or add --format"),
        (["wrong.ckpt", "-o", "wrong.ckpt/a.pt2"], "wrong.ckpt is a file, not a folder; choose another place"),
        (["wrong.ckpt", "-o", "folder.pt2", "--overwrite"], "folder.pt2: is a folder; choose another name"),
        (["a.ckpt", "-o", "a.pt2"], "a.ckpt: no such file; give a checkpoint of `torchdenoise fit`"),
        (["bm3d", "-o", "a.pt2"], "bm3d: a recipe cannot be exported: what it does beside a trained network"),
        (
            ["auto", "-o", "folder.pt2"],
            "similar patches, needs the noisy picture; give a checkpoint of `torchdenoise fit`",
        ),
        (["fast", "-o", "a.pt2"], "or weights in the package, torchdenoise:grey or torchdenoise:colour"),
        ([Path(__file__).parents[2] / "docs/showcase.png", "-o", "folder.pt2"], "showcase.png: is a picture; give a"),
        (["folder.pt2", "-o", "a.pt2"], "folder.pt2: no such file"),
        (["torchdenoise:color", "-o", "a.pt2"], "torchdenoise:color: no such weights"),
        (["wrong.ckpt", "-o", "a.pt2"], "wrong.ckpt: not a checkpoint of torchdenoise"),
        (["a.ckpt", "-o", "a.pt2", "--network"], "--network (did you mean --network-only?)"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, words, message):
    (tmp_path / "folder.pt2").mkdir()
    (tmp_path / "wrong.ckpt").write_text("no")
    outcome = run("export", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.pt2", "wrong.ckpt"]
