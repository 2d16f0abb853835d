"""The curves of a fit, from tables made by hand."""

from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from torchdenoise.callbacks.curves import MAX_POINTS, Curves


@pytest.fixture
def fitted(tmp_path):
    """Return what ends a fit that has logged dicts of values, in the first process unless changed."""

    def call(*values, **changes):
        logger = CSVLogger(tmp_path, "")
        for step, each in enumerate(values):
            logger.log_metrics(each, step)
        return SimpleNamespace(**{"loggers": [logger], "is_global_zero": True} | changes)

    return call


@pytest.fixture
def curves(tmp_path):
    """Return what reads the points of each line, by panel."""

    def read():
        root = ElementTree.parse(tmp_path / "version_0" / "curves.svg").getroot()
        panels = root.findall("{*}g")
        return [[line.get("points").split() for line in panel.findall("{*}g/{*}polyline")] for panel in panels]

    return read


def test_losses_share_a_panel_and_each_score_has_one(fitted, curves):
    values = {"loss": 1.0, "val_loss": 0.5, "val_loss_of_stage_1": 2.0, "val_psnr": 20.0, "val_removed": 1.0, "lr": 1.0}
    Curves().on_train_end(fitted(values, {"loss": 0.5}), None)
    assert [[len(line) for line in panel] for panel in curves()] == [[2, 1, 1], [1]]


def test_long_curves_are_means_of_neighbours_and_infinite_values_are_left_out(fitted, curves):
    values = [{"loss": 1.0 if step % 2 else 3.0} for step in range(2 * MAX_POINTS)]
    Curves().on_train_end(fitted(*values, {"loss": float("nan")}), None)
    [[line]] = curves()
    assert len(line) == MAX_POINTS
    assert len({point.split(",")[1] for point in line}) == 1


@pytest.mark.parametrize(
    ("values", "changes"),
    [([], {}), ([{"lr": 1.0}], {}), ([{"loss": 1.0}], {"is_global_zero": False}), ([{"loss": 1.0}], {"loggers": []})],
    ids=["nothing logged", "no loss logged", "another process", "no logger"],
)
def test_nothing_is_drawn(fitted, tmp_path, values, changes):
    Curves().on_train_end(fitted(*values, **changes), None)
    assert not list(tmp_path.rglob("*.svg"))


@pytest.mark.parametrize(("error", "drawn"), [(KeyboardInterrupt(), 1), (SIGTERMException(), 1), (ValueError(), 0)])
def test_a_fit_that_the_user_stops_has_curves_too(fitted, tmp_path, error, drawn):
    Curves().on_exception(fitted({"loss": 1.0}), None, error)
    assert len(list(tmp_path.rglob("curves.svg"))) == drawn
