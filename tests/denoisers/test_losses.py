"""A loss on crops, against cutting by hand."""

import pytest
import torch

from torchdenoise import UserError
from torchdenoise.denoisers import GRDLoss, OnCrops, ZSN2MLoss
from torchdenoise.denoisers.losses import DenoisingLoss


class Keeping(DenoisingLoss):
    requires = ("guide",)

    def draw(self, batch, generator):
        return {"seen": torch.tensor(batch["noisy"].shape)}

    def forward(self, denoise, batch, draws, progress):
        self.kept = {**batch, **draws}
        return {"fit": denoise(batch["noisy"]).mean() * progress}


@pytest.mark.parametrize(("height", "width", "size"), [(20, 31, 8), (9, 8, 8), (6, 40, 16)])
def test_crops_are_squares_of_every_image_at_even_places(height, width, size):
    noisy = torch.arange(2 * 3 * height * width, dtype=torch.float32).view(2, 3, height, width)
    inner = Keeping()
    loss = OnCrops(inner, size=size, count=4)
    assert loss.requires == ("guide",)
    batch = {"noisy": noisy, "guide": -noisy, "level": torch.ones(2)}
    draws = loss.draw(batch, torch.Generator().manual_seed(1))
    terms = loss(lambda image: 0 * image + 2, batch, draws, 0.5)
    assert terms["fit"].item() == 1
    tall, wide = min(size, height), min(size, width)
    assert draws["seen"].tolist() == [8, 3, tall, wide]
    for number in range(8):
        top, left = int(draws["top"][number]), int(draws["left"][number])
        assert (top % 2, left % 2) == (0, 0)
        expected = noisy[number // 4, :, top : top + tall, left : left + wide]
        assert expected.shape == (3, tall, wide)
        assert torch.equal(inner.kept["noisy"][number], expected)
        assert torch.equal(inner.kept["guide"][number], -expected)
    assert torch.equal(inner.kept["level"], torch.ones(2))


def test_all_places_are_reached():
    loss = OnCrops(ZSN2MLoss(), size=4, count=500)
    draws = loss.draw({"noisy": torch.rand(1, 1, 9, 6)}, torch.Generator().manual_seed(0))
    assert set(draws["top"].tolist()) == {0, 2, 4}
    assert set(draws["left"].tolist()) == {0, 2}


def test_a_crop_of_everything_is_the_loss_itself():
    noisy, guide = torch.rand(2, 1, 3, 8, 8)
    loss, batch = GRDLoss(), {"noisy": noisy, "guide": guide}
    whole = OnCrops(loss, size=8, count=1)
    expected = loss(torch.square, batch, {}, 0.0)
    terms = whole(torch.square, batch, whole.draw(batch, torch.Generator()), 0.0)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {name: term.item() for name, term in expected.items()}
    )


@pytest.mark.parametrize(("size", "count"), [(1, 1), (8, 0)])
def test_what_cannot_be_cropped_is_refused(size, count):
    with pytest.raises(UserError, match=f"OnCrops: size {size} and count {count} must be at least 2 and 1"):
        OnCrops(GRDLoss(), size, count)
