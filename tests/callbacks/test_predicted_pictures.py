"""The pictures that ``predict`` writes."""

from types import SimpleNamespace

import pytest
import torch
from helpers import noisy_scene, write_png

from torchdenoise.callbacks.predicted_pictures import PictureWriter, named_data
from torchdenoise.data import ImageFolder
from torchdenoise.errors import DataError, UserError


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """Return what the callback reads of a Trainer, with two pictures to predict and an earlier result."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "a_denoised"):
        write_png(tmp_path / "in" / f"{name}.png", noisy_scene(8, 9))
    data = ImageFolder(predict="in")
    data.prepare("predict")
    return SimpleNamespace(datamodule=data)


def started(trainer, output=None, overwrite=False):
    writer = PictureWriter(output, overwrite)
    writer.on_predict_start(trainer, None)
    return writer


def test_results_lie_beside_their_sources_and_earlier_results_are_no_sources(trainer):
    sources, targets = trainer.datamodule.sources, started(trainer, overwrite=True).targets
    assert {sources[index].name: path.as_posix() for index, path in targets.items()} == {
        "a.png": "in/a_denoised.png",
        "b.png": "in/b_denoised.png",
    }


def test_a_result_that_exists_is_refused_before_any_work(trainer):
    with pytest.raises(UserError, match=r"in/a_denoised.png: exists already"):
        started(trainer)


def test_a_batch_is_written_by_its_index(trainer, tmp_path, capsys):
    writer = started(trainer, tmp_path / "out")
    index = next(index for index in writer.targets if trainer.datamodule.sources[index].name == "b.png")
    writer.on_predict_batch_end(trainer, None, torch.rand(1, 3, 8, 9), {"index": torch.tensor([index])}, 0)
    assert capsys.readouterr().out == f"in/b.png -> {tmp_path / 'out' / 'b.png'}\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


def test_a_data_module_that_names_no_pictures_is_refused():
    with pytest.raises(DataError, match="SimpleNamespace does not name its pictures: derive it from DenoisingData"):
        named_data(SimpleNamespace(datamodule=SimpleNamespace()))
    with pytest.raises(DataError, match=r"ImageFolder.prepare does not set self.sources"):
        named_data(SimpleNamespace(datamodule=ImageFolder()))
