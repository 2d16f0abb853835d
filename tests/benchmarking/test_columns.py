"""The table of columns."""

import pytest

from torchdenoise.benchmarking.columns import KEY, columns, row_key, shown
from torchdenoise.metrics import all_metrics


def test_keys_come_first_and_every_metric_has_a_column():
    names = list(columns())
    assert names[: len(KEY)] == list(KEY)
    assert set(all_metrics()) < set(names)
    assert all(name == column.name for name, column in columns().items())


def test_only_metrics_that_need_the_clean_picture_have_a_column_for_the_noisy_one():
    noisy = {name.removeprefix("noisy_") for name in columns() if name.startswith("noisy_")}
    assert noisy == {name for name, metric in all_metrics().items() if "clean" in metric.requires}
    assert not any(columns()[f"noisy_{name}"].heading for name in noisy)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("psnr", "30.1234", 30.1234), ("psnr", "inf", float("inf")), ("steps", "7", 7), ("image", "007", "007")],
)
def test_text_becomes_a_value_of_the_column_s_type(name, text, value):
    column = columns()[name]
    assert column.typed(text) == value
    assert type(column.typed(text)) is column.kind
    assert column.typed("") is None


def test_figures_have_the_decimals_of_their_column():
    found = columns()
    assert [found[name].shown(2.3456) for name in ("psnr", "ssim", "seconds", "memory_mb")] == [
        "2.35",
        "2.346",
        "2.35",
        "2",
    ]
    assert (found["psnr"].shown(None), shown(None), shown(0.0), shown(-0.004)) == ("-", "-", "0.00", "0.00")
    assert (shown(float("inf")), shown(float("nan")), shown(-0.006)) == ("inf", "nan", "-0.01")


def test_a_row_is_identified_by_its_key_columns():
    row = {"psnr": "30", "seed": "1", "noise": "real", "image": "a", "recipe": "tv"}
    assert row_key(row) == ("tv", "a", "real", "1")
