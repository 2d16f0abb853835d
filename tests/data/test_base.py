"""How data modules and models meet."""

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from torchdenoise import UserError
from torchdenoise.callbacks.predicted_pictures import PictureWriter
from torchdenoise.data import DenoisingData, ImageFolder, PairFolder, SingleImage
from torchdenoise.fitting import HYGIENE
from torchdenoise.protocols import DataDescription


class Foreign(lightning.LightningModule):
    """A model that knows nothing of our data modules."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 3, 3, padding=1)

    def training_step(self, batch, batch_idx):
        return (self.layer(batch["noisy"]) - batch["noisy"]).square().mean()

    def validation_step(self, batch, batch_idx):
        raise AssertionError("nothing to validate on")

    def predict_step(self, batch, batch_idx):
        return self.layer(batch["noisy"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Matching(Foreign):
    """One that wants to know."""

    def __init__(self):
        super().__init__()
        self.described = []

    def match_data(self, description):
        self.described.append(description)


class Bare(DenoisingData):
    """A user's data module without the optional parts."""

    def prepare(self, stage):
        return 3, 6, 7

    def picture(self, index):
        raise AssertionError("nothing is written")

    def predict_dataloader(self):
        return DataLoader([{"noisy": torch.rand(1, 3, 6, 7), "index": torch.zeros(1)}], batch_size=None)


def trainer(**options):
    return lightning.Trainer(**{**HYGIENE, "accelerator": "cpu", "max_steps": 1, **options})


def data(**options):
    module = SingleImage(**options)
    module.use(torch.rand(1, 3, 8, 9))
    return module


def test_any_model_learns_from_our_data():
    model = Foreign()
    before = model.layer.weight.clone()
    trainer().fit(model, data())
    assert not torch.equal(model.layer.weight, before)


def test_a_model_that_matches_data_gets_their_description():
    model, module = Matching(), data(crop=4)
    trainer().fit(model, module)
    trainer().predict(model, module)
    assert model.described[0] == DataDescription(3, 8, 9, frozenset({"noisy"}), 4)
    assert model.described[-1] == DataDescription(3, 8, 9)  # nothing is trained


def test_a_data_module_without_sources_predicts_but_writes_nothing():
    assert len(trainer().predict(Foreign(), Bare())) == 1
    with pytest.raises(UserError, match=r"^Bare.prepare does not set self.sources: the path of each picture, or None$"):
        trainer(callbacks=[PictureWriter(None, False)]).predict(Foreign(), Bare())


def test_the_data_class_says_whether_a_fit_is_zero_shot():
    assert [cls.zero_shot for cls in (SingleImage, ImageFolder, PairFolder, Bare)] == [True, False, False, False]
    assert [cls.default_steps for cls in (SingleImage, ImageFolder, Bare)] == [2000, None, None]
