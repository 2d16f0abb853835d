"""``torchdenoise cite``."""

import re

import pytest

from torchdenoise import __version__
from torchdenoise.recipes import recipe_names, recipe_path

KEY = re.compile(r"^@\w+\{(\w+),$", re.MULTILINE)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_a_paper_and_ends_with_the_package(run, name):
    outcome = run("cite", name)
    assert (outcome.code, outcome.err) == (0, "")
    *papers, package = KEY.findall(outcome.out)
    assert papers
    assert package == "torchdenoise"


def test_the_package_is_cited_with_its_version(run):
    entry = run("cite", "bm3d").out.rpartition("@software")[2]
    assert f"version   = {{{__version__}}}," in entry
    assert "author    = {{torchdenoise contributors}}," in entry


def test_parts_from_other_papers_are_cited_and_the_method_comes_first(run):
    printed = run("cite", "fast").out
    assert KEY.findall(printed)[:2] == ["pang2021recorrupted", "mansour2023zeroshot"]
    assert "herbreteau2022towards" in printed
    assert "% fast: Recorrupted, RecorruptedLoss\n@inproceedings{pang2021recorrupted," in printed
    assert "mansour2023zeroshot" in run("cite", "noise2fast-colour").out
    assert "mansour2023zeroshot" not in run("cite", "noise2fast").out


def test_several_recipes_share_their_entries(run):
    printed = run("cite", "zsn2n", "zsn2m", "zsn2n").out
    keys = KEY.findall(printed)
    assert len(keys) == len(set(keys))
    assert "\n% zsn2m: SmallCNN\n@inproceedings{mansour2023zeroshot," in printed


def test_a_recipe_of_your_own(run, tmp_path):
    loss = "{class_path: mine.Loss, init_args: {inner: GRDLoss}}"
    (tmp_path / "my@recipe.yaml").write_text(f"model: {{class_path: ZSN2N, init_args: {{loss: {loss}}}}}")
    printed = run("cite", "my@recipe.yaml").out
    assert KEY.findall(printed) == ["mansour2023zeroshot", "liu2025zeroshot", "torchdenoise"]
    assert printed.endswith("% my_recipe.yaml: mine.Loss is not of this package\n")


def test_only_entries_begin_with_a_sign_that_bibtex_reads(run):
    printed = run("cite", *recipe_names()).out
    assert printed.isascii()
    assert printed.count("@") == len(KEY.findall(printed))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: RECIPE"),
        (["zsn2"], "zsn2: unknown recipe (did you mean zsn2n?)"),
        (["zsn2n", "missing.yaml"], "missing.yaml: no such recipe file"),
    ],
)
def test_mistakes_are_one_line(run, words, message):
    outcome = run("cite", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_file_by_path(run):
    assert KEY.findall(run("cite", recipe_path("bm3d")).out) == ["dabov2007image", "torchdenoise"]
