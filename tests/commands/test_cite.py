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


def test_auto_names_both_recipes_that_it_may_take(run):
    printed = run("cite", "auto").out
    keys = [set(KEY.findall(run("cite", name).out)) for name in ("pretrained-fast", "fast")]
    assert set(KEY.findall(printed)) == keys[0] | keys[1]
    both = "% auto, if it takes pretrained-fast: NonLocalRidge\n% auto, if it takes fast: NonLocalRidge\n@"
    assert both in printed
    assert "% auto, if it takes fast: Recorrupted, RecorruptedLoss\n@" in printed


@pytest.mark.parametrize(
    ("word", "comment"),
    [
        ("wide=zsn2n", "% wide: ZSN2N, SmallCNN, ZSN2NLoss, DiagonalDownsampler\n"),
        ("wide=zsn2n:model.network=N2NUNet", "% wide: N2NUNet\n@inproceedings{lehtinen2018noise2noise,"),
        ("wide=auto", "% wide, if it takes fast: SmallCNN\n"),
        ("zsn2n,bm3d", "% bm3d: BM3D\n"),
        ("nois*fast", "% noise2fast: "),
        ("colour=torchdenoise:colour", "% colour: ResidualUNet\n"),
        ("own=mine.yaml:model.network.width=9", "% own: ZSN2N, SmallCNN\n"),
    ],
)
def test_what_compare_takes(run, tmp_path, word, comment):
    (tmp_path / "mine.yaml").write_text("model: {class_path: ZSN2N, init_args: {network: SmallCNN}}")
    outcome = run("cite", word)
    assert (outcome.code, outcome.err) == (0, "")
    assert comment in outcome.out


def test_a_variant_does_not_cite_the_part_that_it_replaces(run):
    assert "SmallCNN" not in run("cite", "wide=zsn2n:model.network=N2NUNet").out


def test_only_entries_begin_with_a_sign_that_bibtex_reads(run):
    printed = run("cite", *recipe_names()).out
    assert printed.isascii()
    assert printed.count("@") == len(KEY.findall(printed))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: RECIPE"),
        (["zsn2"], "zsn2: unknown recipe (did you mean zsn2n?)"),
        (["wide=zsn2"], "zsn2: unknown recipe (did you mean zsn2n?)"),
        (["wide=zsn2n:model.network=SmalCNN"], "did you mean SmallCNN?"),
        (["model.network=SmallCNN"], "an override of which recipe?"),
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
