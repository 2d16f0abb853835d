"""The checkpoints that a fit keeps."""

from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from torchdenoise.callbacks.checkpointing import BestCheckpoint, LastCheckpoint, SavedConfig


def test_the_keys_of_old_checkpoints_stay():
    rest = "'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 1, 'train_time_interval': None}"
    assert LastCheckpoint().state_key == f"Last{{'monitor': None, {rest}"
    assert BestCheckpoint().state_key == f"Best{{'monitor': 'val_loss', {rest}"


@pytest.mark.parametrize(
    ("error", "saves"), [(KeyboardInterrupt(), True), (SIGTERMException(), True), (RuntimeError("crash"), False)]
)
def test_only_a_user_who_stops_the_fit_overwrites_the_last_state(monkeypatch, error, saves):
    calls = []
    monkeypatch.setattr(ModelCheckpoint, "on_exception", lambda *arguments: calls.append(arguments[-1]))
    LastCheckpoint().on_exception(None, None, error)
    assert calls == [error] * saves


@pytest.mark.parametrize(("metrics", "saves"), [({"val_loss": 1.0}, True), ({"val_loss_of_stage_1": 1.0}, False)])
def test_the_best_state_needs_a_val_loss(monkeypatch, metrics, saves):
    calls = []
    monkeypatch.setattr(ModelCheckpoint, "on_validation_end", lambda *arguments: calls.append(arguments))
    BestCheckpoint().on_validation_end(SimpleNamespace(callback_metrics=metrics), None)
    assert len(calls) == saves


def test_a_resumed_fit_knows_the_best_score_although_its_folder_is_another():
    state = BestCheckpoint().state_dict() | {"dirpath": "elsewhere", "best_model_score": 0.25, "best_model_path": "b"}
    resumed = BestCheckpoint()
    resumed.load_state_dict(state)
    assert (resumed.best_model_score, resumed.best_model_path, resumed.dirpath) == (0.25, "b", None)


@pytest.mark.parametrize("callback", [BestCheckpoint, LastCheckpoint])
@pytest.mark.parametrize("name", ["best_model_path", "last_model_path", "kth_best_model_path"])
def test_a_state_with_a_path_that_is_none_is_refused(callback, name):
    state = callback().state_dict() | {name: float("nan")}
    with pytest.raises(TypeError, match=f"^{name} is no text"):
        callback().load_state_dict(state)


@pytest.mark.parametrize(("stage", "loggers"), [("fit", []), ("test", ["logger"])])
def test_no_configuration_is_saved_without_a_logger_or_outside_a_fit(stage, loggers):
    callback = SavedConfig(None, None)
    callback.setup(SimpleNamespace(loggers=loggers), None, stage)  # Lightning's would need a parser
    assert not callback.already_saved
