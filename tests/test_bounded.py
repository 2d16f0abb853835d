"""YAML and JSON bombs: each is refused in one line and at once."""

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from torchdenoise.bounded import MAX_JSON, MAX_VALUES, MAX_YAML, check_plain, load_json, load_yaml, read_text
from torchdenoise.errors import UserError

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
BOMBS = {
    "aliases of aliases": (LAUGHS, f"more than {MAX_VALUES} values, aliases included"),
    "a list in itself": ("a: &a [*a]", "an alias contains itself"),
    "a mapping in itself": ("&a {b: {c: *a}}", "an alias contains itself"),
    "a merge with itself": ("&a {<<: *a}", "an alias contains itself"),
    "deep lists": ("[" * 900, "more than 12 deep"),
    "deeper lists": ("[" * 200_000, "not a YAML file|more than 12 deep"),
    "deep mappings": ("{a: " * 50_000, "more than 12 deep"),
    "deep lines": ("- " * 50_000, "more than 12 deep"),
    "many values": ("- 1\n" * 20_000, f"more than {MAX_VALUES} values"),
    "a large text": ("a: 1\n" * 100_000, "larger than 256 KiB"),
    "a long number": ("1" * 200_000, "no value of a recipe"),
    "a number in base 60": ("1:" * 50_000 + "1", "no value of a recipe"),
    "a day that is none": ("2001-99-99", "not a YAML file"),
    "a list as key": ("{[a]: b}", "not a YAML file"),
    "code": ("!!python/object/apply:os.system [id]", "not a YAML file"),
    "no boolean": ("!!bool x", "not a YAML file"),
    "no number": ("!!int x", "not a YAML file"),
    "a null character": ("a: \0", "not a YAML file"),
    "two documents": ("a: 1\n---\nb: 2", "not a YAML file"),
}


LOADERS = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name, loader):
    text, reason = BOMBS[name]
    start = time.process_time()
    with pytest.raises(UserError, match=reason) as caught:
        load_yaml(text, loader)
    assert time.process_time() - start < 2
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab:-&*{}[]#, \n", max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.<", max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(content=PLAIN)
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_as_pyyaml_reads_it(content):
    text = yaml.safe_dump(content)
    assert load_yaml(text) == yaml.safe_load(text) == content


@given(text=st.text("a1:-&*{}[]#, \n!|>'\"?%@`<=~.", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_as_pyyaml_reads_it_or_refused(text):
    try:
        found = load_yaml(text)
    except UserError:
        return
    assert repr(found) == repr(yaml.load(text, LOADERS[-1]))


def test_aliases_within_bounds_are_read():
    assert load_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]") == {
        "a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing\n", "~"])
def test_an_empty_text_is_nothing(text):
    assert load_yaml(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "not a JSON file"),
        ("{", "not a JSON file"),
        ("1" * 5000, "not a JSON file"),
        (" " * (MAX_JSON + 1), "16 MiB"),
    ],
)
def test_json_is_bounded_too(text, reason):
    with pytest.raises(UserError, match=reason):
        load_json(text)


def test_a_file_is_read_up_to_its_bound(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_bytes(b"a" * (MAX_YAML + 1))
    with pytest.raises(UserError, match="larger than 256 KiB"):
        read_text(file, MAX_YAML)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="no text in UTF-8"):
        read_text(file, MAX_YAML)
    file.write_bytes(b"a: 1")
    assert read_text(file, MAX_YAML) == "a: 1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [{1: 2}]", "the key 1 is no text"),
        ("~: 1", "the key None"),
        ("a: 2024-01-01", "is a date"),
        ("a: !!set {b}", "is a set"),
        ("- 1\n" * 101, "a list of 101 values"),
        ("a: " + "x" * 5000, "a text of 5000 characters"),
    ],
)
def test_a_recipe_holds_plain_values(text, reason):
    with pytest.raises(UserError, match=reason):
        check_plain(load_yaml(text))
