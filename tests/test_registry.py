import copy
import importlib.metadata
import pickle
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from torchdenoise.errors import UserError
from torchdenoise.registry import Registered, class_path, entries, find, load_plugins, matching, one_line
from torchdenoise.stored_recipes import build
from torchdenoise.user_code import PLUGINS


class Shape(Registered, kind="shapes"):
    """A kind of its own."""

    def area(self) -> float:
        return 0.0


class Disc(Shape, name="disc", source="Euclid"):
    def __init__(self, radius=1.0, *, filled=True):
        self.radius = radius
        self.filled = filled


class Frame(Shape):
    left_out = ("draw",)

    def __init__(self, inner: Shape | None = None, outer: Shape | None = None, draw=print):
        self.inner = inner or Disc(3)
        self.outer = outer


class Group(Shape):
    def __init__(self, parts, names=(), **options):
        self.parts = parts
        self.options = options


class Lone(Shape): ...


class Layer(Shape, torch.nn.Module):
    def __init__(self, width: int = 2):
        super().__init__()
        self.linear = torch.nn.Linear(width, width)


class Solid(Shape, ABC):
    @abstractmethod
    def volume(self): ...


class Curve(Solid, name="curve"):
    def volume(self):
        return 0


class _Helper(Shape): ...


def test_arguments_are_noted_with_their_defaults():
    assert Disc().arguments == {"radius": 1.0, "filled": True}
    assert Disc(2, filled=False).arguments == {"radius": 2, "filled": False}
    assert Group([1], size=3).arguments == {"parts": [1], "names": (), "size": 3}
    assert Lone().arguments == {}
    assert Layer(3).arguments == {"width": 3}


@pytest.mark.parametrize("call", [lambda: Disc(1, 2), lambda: Disc(size=3), lambda: Group()])
def test_wrong_arguments_stay_type_errors(call):
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_copies_remember_too(clone):
    frame = clone(Frame(Disc(2)))
    assert frame.arguments["inner"].radius == 2
    assert frame.recipe() == Frame(Disc(2)).recipe()
    layer = Layer(3)
    twin = clone(layer)
    assert twin.arguments == {"width": 3}
    torch.testing.assert_close(twin.state_dict(), layer.state_dict())


def test_parts_that_the_constructor_chose_are_written_out():
    recipe = Frame().recipe()
    assert recipe["class_path"] == f"{__name__}.Frame"
    assert recipe["init_args"]["inner"] == Disc(3).recipe()
    assert recipe["init_args"]["outer"] is None


def test_a_part_that_was_replaced_is_written_as_it_is_now():
    frame = Frame(Disc(1))
    frame.inner = Disc(9)
    assert frame.recipe()["init_args"]["inner"] == Disc(9).recipe()


def test_factories_are_left_out():
    assert "draw" not in Frame(draw=partial(print, end="")).recipe()["init_args"]


def test_a_recipe_builds_an_equal_object():
    group = Group([Frame(Disc(2), Disc(3, filled=False)), Lone()], ("a", None, 0.5), folder={"in": Path("x")})
    built = build(group.recipe())
    assert isinstance(built, Group)
    assert isinstance(built.parts[0].outer, Disc)
    assert built.recipe() == group.recipe()
    assert built.options == {"folder": {"in": "x"}}


def test_a_recipe_is_plain_enough_for_a_checkpoint(tmp_path):
    recipe = Group([np.float64(0.5), np.int16(3), np.str_("a"), True, None, Path("x")]).recipe()
    torch.save(recipe, tmp_path / "a.ckpt")
    assert torch.load(tmp_path / "a.ckpt", weights_only=True) == recipe
    assert recipe["init_args"]["parts"] == [0.5, 3, "a", True, None, "x"]


@pytest.mark.parametrize("value", [torch.zeros(2), np.zeros(2), {1, 2}, b"bytes", object()])
def test_what_no_checkpoint_can_hold_is_refused(value):
    for thing in (Disc(value), Group([{"deep": value}])):
        with pytest.raises(
            UserError, match=rf"\w+\(\w+=\.\.\.\) is a {type(value).__name__}, which a checkpoint cannot"
        ):
            thing.recipe()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{__name__}.Disk", r"\.Disk, which is not known here \(did you mean .*\.Disc\?\); the module is imported"),
        ("mine.Disk", "^fitted with mine.Disk, which is not known here.*; if you trust it, add --import mine "),
        ("os.system", "^fitted with os.system, which is not known here; .*no such class"),
        ("builtins.eval", "^fitted with builtins.eval, which is not known"),
    ],
)
def test_unknown_classes_are_not_built(path, message):
    for recipe in (
        {"class_path": path, "init_args": {}},
        Group([{"class_path": path, "init_args": {}}]).recipe(),
    ):
        with pytest.raises(UserError, match=message):
            build(recipe)


def test_rebuilding_changes_what_it_is_told():
    group = Group([1], size=3).rebuilt(size=4)
    assert group.arguments == {"parts": [1], "names": (), "size": 4}


def test_entries_are_the_concrete_classes_by_name():
    assert {"disc", "Frame", "Lone", "curve"} <= set(entries(Shape))
    assert list(entries(Shape)) == sorted(entries(Shape), key=str.lower)
    assert entries(Shape)["disc"] is Disc
    assert not {"Shape", "Solid", "_Helper", ""} & set(entries(Shape))
    assert (Disc.kind, Disc.short_name, Disc.source) == ("shapes", "disc", "Euclid")
    assert (Lone.short_name, Lone.source) == ("Lone", "")


@pytest.mark.parametrize("name", ["disc", "Disc", f"{__name__}.Disc"])
def test_found_by_three_names(name):
    assert find(Shape, name) is Disc


@pytest.mark.parametrize(("name", "hint"), [("disk", r" \(did you mean disc\?\)"), ("Solid", ""), ("xyzzy", "")])
def test_not_found(name, hint):
    with pytest.raises(UserError, match=rf"^{name}: unknown name among shapes: .*curve, disc.*{hint}$"):
        find(Shape, name)


def test_a_class_defined_again_replaces_the_first():
    def define(name):
        class Again(Shape, name=name):
            pass

        return Again

    first, second = define("again"), define("anew")
    assert find(Shape, "Again") is find(Shape, class_path(first)) is second
    assert build(first().recipe()).short_name == "anew"
    third = define("again")
    assert first is not third
    assert find(Shape, "again") is third


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("zs", ["ZSN2N", "zsn2m"]),
        ("zs*", ["ZSN2N", "zsn2m"]),
        ("*n", ["ZSN2N"]),
        ("zsn2[mx]", ["zsn2m"]),
        ("?m3d", ["bm3d"]),
        ("", ["ZSN2N", "zsn2m", "bm3d"]),
        ("nothing", []),
    ],
)
def test_patterns(pattern, expected):
    assert matching(["ZSN2N", "zsn2m", "bm3d"], pattern) == expected


def offered(monkeypatch, *entry_points):
    def listed(*, group):
        assert group == PLUGINS
        return [importlib.metadata.EntryPoint(name, value, group) for name, value in entry_points]

    monkeypatch.setattr(importlib.metadata, "entry_points", listed)


def test_plugins_join_and_broken_ones_are_told(monkeypatch, tmp_path):
    (tmp_path / "plugin_broken.py").write_text("raise SyntaxError('oops')\n")
    (tmp_path / "plugin_fine.py").write_text(
        f"from {__name__} import Shape\nclass FromPlugin(Shape, name='from-plugin'): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    offered(monkeypatch, ("broken", "plugin_broken"), ("absent", "plugin_absent"), ("fine", "plugin_fine"))
    with pytest.warns(UserWarning, match="left out") as caught:
        load_plugins()
    assert [str(warning.message).split(" was")[0] for warning in caught] == [
        "plugin broken (plugin_broken)",
        "plugin absent (plugin_absent)",
    ]
    assert str(caught[0].message).endswith("plugin_broken.py:1: SyntaxError: oops")
    assert entries(Shape)["from-plugin"].__module__ == "plugin_fine"
    offered(monkeypatch, ("fine", "plugin_fine"))
    load_plugins()
    assert build(find(Shape, "from-plugin")().recipe()).short_name == "from-plugin"


def test_first_lines():
    assert one_line(Shape) == "A kind of its own."
    assert one_line(lambda: None) == ""
