"""The table for LaTeX, from rows made by hand."""

import re

import pytest

from tests.benchmarking.made_rows import row
from torchdenoise.benchmarking.latex import escaped, latex


def body(text):
    """Return the lines of a tabular as lists of cells, without comments and rules."""
    lines = [line for line in text.splitlines() if not line.startswith(("%", r"\begin", r"\end"))]
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in lines if line.endswith(r" \\")]


def test_the_best_is_bold_the_second_underlined_and_what_looks_the_same_ranks_the_same():
    rows = [
        row("best", "a", "31.004", ssim="0.9", seconds="3"),
        row("tied", "a", "31.001", ssim="0.8", seconds="9"),
        row("next", "a", "30", ssim="0.7", seconds="2"),
        row("last", "a", "29", ssim="0.6", seconds="1"),
    ]
    assert body(latex(rows, "compare"))[2:] == [
        ["best", r"\textbf{31.00}", r"\textbf{0.900}", "3.00"],
        ["tied", r"\textbf{31.00}", r"\underline{0.800}", "9.00"],
        ["next", r"\underline{30.00}", "0.700", r"\underline{2.00}"],
        ["last", "29.00", "0.600", r"\textbf{1.00}"],
    ]


def test_one_method_is_not_the_best_and_of_two_none_is_the_second():
    assert body(latex([row("one", "a", "30")], ""))[2][1:] == ["30.00", "0.500", "2.00"]
    two = body(latex([row("one", "a", "30"), row("other", "a", "29")], ""))
    assert [line[1] for line in two[2:]] == [r"\textbf{30.00}", "29.00"]


def test_the_noisy_pictures_come_first_and_are_not_ranked():
    rows = [
        row("x", "a", "30", noisy_psnr="40", noisy_ssim="0.1"),
        row("y", "a", "28", noisy_psnr="40", noisy_ssim="0.1"),
        row("x", "a", "26", noise="poisson:9"),
    ]
    assert body(latex(rows, "compare"))[2:] == [
        ["noisy", "40.00", "0.100", "--", "--", "--", "--"],
        ["x", r"\textbf{30.00}", r"\textbf{0.500}", r"\textbf{2.00}", "26.00", "0.500", "2.00"],
        ["y", "28.00", r"\textbf{0.500}", r"\textbf{2.00}", "--", "--", "--"],
    ]


def test_noises_stand_side_by_side_and_a_method_without_one_has_a_dash():
    rows = [row("x", "a", "30"), row("x", "a", "28", noise="poisson:9"), row("y", "a", "", noise="poisson:9")]
    text = latex(rows, "compare")
    assert r"\begin{tabular}{lrrrrrr}" in text
    groups, heads, *lines = body(text)
    assert groups == ["", r"\multicolumn{3}{c}{gaussian:25}", r"\multicolumn{3}{c}{poisson:9}"]
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}" in text
    assert heads == ["Method", *["PSNR", "SSIM", "seconds"] * 2]
    assert lines == [["x", "30.00", "0.500", "2.00", "28.00", "0.500", "2.00"], ["y", *["--"] * 6]]


def test_without_clean_pictures_the_other_metrics_are_shown_and_none_is_best():
    blind = {"psnr": "", "ssim": "", "removed": "9", "correlation": "-0.5"}
    rows = [row(name, "a", "1", noise="real") | blind for name in "xy"]
    heads, first, _ = body(latex(rows, "compare"))[1:]
    assert heads == ["Method", "removed", "correlation", "seconds"]
    assert first[1:3] == ["9.00", "$-$0.50"]


def test_perfect_and_undefined_scores():
    rows = [row("x", "a", "inf", ssim="nan"), row("y", "a", "20", ssim="0.5"), row("z", "a", "10", ssim="0.25")]
    lines = body(latex(rows, "compare"))[2:]
    assert [line[1:3] for line in lines] == [
        [r"\textbf{$\infty$}", "--"],
        [r"\underline{20.00}", r"\textbf{0.500}"],
        ["10.00", "0.250"],
    ]


def test_trained_weights_and_contended_seconds_are_marked():
    text = latex([row("x", "a", "30", weights="1a2b3c4d", workers="2"), row("y", "a", "29")], "compare")
    assert [line[0] for line in body(text)[1:4]] == ["Method", r"x$^{\dagger}$", "y"]
    assert "weights trained on other pictures" in body(text)[4][0]
    assert "seconds (contended)" in body(text)[1]
    assert "dagger" not in latex([row("y", "a", "29")], "compare")


def test_comments_say_how_the_table_was_made():
    text = latex([row("x", "a", "30", crop="256", torch="2.9"), row("x", "b", "30", crop="256")], "compare\n--data d")
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert comments[0] == "% compare --data d"
    assert comments[1].startswith("% Centre crops 256x256, seed 0")
    assert "% gaussian:25: means over the 2 pictures" in comments[2]
    assert text.index(r"\begin") > text.rindex("%")


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("a_b&c%d$e#f{g}", r"a\_b\&c\%d\$e\#f\{g\}"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("<a|b>", r"\textless{}a\textbar{}b\textgreater{}"),
        ("[1]*", "{[}1{]}{*}"),  # would be arguments of the line break before them
        ("a---b", "a-{}-{}-b"),  # would be a dash
        ("x\ny\x1b", r"x y\textbackslash{}x1b"),
    ],
)
def test_names_are_text(name, printed):
    assert escaped(name) == printed
    line = body(latex([row(name, "a", "30", noise="real")], name))[2]
    assert line[0] == printed


def test_standard_deviations_stand_beside_the_means_of_scores():
    scores = {"noisy_psnr": "20", "noisy_ssim": "0.1"}
    rows = [
        row("x", "a", "30", ssim="0.75", **scores),
        row("x", "b", "34", ssim="0.5", seconds="4", **scores),
        row("y", "a", "28", ssim="0.25", **scores),
        row("y", "b", "inf", ssim="0.25", **scores),
    ]
    text = latex(rows, "compare", spread=True)
    assert body(text)[2:] == [
        ["noisy", r"20.00 $\pm$ 0.00", r"0.100 $\pm$ 0.000", "--"],
        ["y", r"\textbf{$\infty$}", r"0.250 $\pm$ 0.000", r"\textbf{2.00}"],
        ["x", r"32.00 $\pm$ 2.83", r"\textbf{0.625} $\pm$ 0.177", "3.00"],
    ]
    assert r"% \pm: standard deviation between these pictures" in text
    assert r"\pm" not in latex(rows, "compare")
    assert r"\pm$" not in latex(rows[:1], "compare", spread=True)  # one picture has no spread
