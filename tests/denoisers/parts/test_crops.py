"""A loss on crops, against cutting by hand."""

import pytest
import torch

from torchdenoise import UserError
from torchdenoise.denoisers import GRDLoss, OnCrops, ZSN2MLoss
from torchdenoise.denoisers.parts.crops import turned
from torchdenoise.denoisers.parts.losses import DenoisingLoss


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
    batch = {"noisy": noisy, "guide": -noisy, "level": torch.tensor([1.0, 2.0])}
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
    assert inner.kept["level"].tolist() == [1.0] * 4 + [2.0] * 4


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


def test_turned_crops_are_all_eight_turns_of_every_image_alike():
    noisy = torch.rand(1, 3, 12, 15)
    inner = Keeping()
    loss = OnCrops(inner, size=6, count=200, turned=True)
    batch = {"noisy": noisy, "guide": -noisy}
    draws = loss.draw(batch, torch.Generator().manual_seed(1))
    loss(torch.abs, batch, draws, 0.5)
    assert torch.equal(inner.kept["guide"], -inner.kept["noisy"])
    met = set()
    for number, crop in enumerate(inner.kept["noisy"]):
        top, left = int(draws["top"][number]), int(draws["left"][number])
        square = noisy[0, :, top : top + 6, left : left + 6]
        turns = [side.rot90(turn, (1, 2)) for side in (square, square.flip(2)) for turn in range(4)]
        met.add(next(number for number, turned in enumerate(turns) if torch.equal(turned, crop)))
    assert met == set(range(8))


def test_images_are_turned_as_the_crops_are():
    noisy, inner = torch.rand(2, 3, 6, 6), Keeping()
    loss = OnCrops(inner, size=6, count=20, turned=True)
    draws = loss.draw({"noisy": noisy, "guide": noisy}, torch.Generator().manual_seed(1))
    loss(torch.abs, {"noisy": noisy, "guide": noisy}, draws, 0.5)
    assert draws["turn"].unique().tolist() == list(range(8))
    assert torch.equal(turned(noisy.repeat_interleave(20, 0), draws["turn"]), inner.kept["noisy"])
    assert torch.equal(inner.kept["turn"], draws["turn"])


def test_turned_crops_of_a_narrow_picture_are_square():
    inner = Keeping()
    loss = OnCrops(inner, size=8, count=3, turned=True)
    batch = {"noisy": torch.rand(1, 1, 4, 20), "guide": torch.rand(1, 1, 4, 20)}
    loss(torch.abs, batch, loss.draw(batch, torch.Generator()), 0.5)
    assert inner.kept["noisy"].shape == (3, 1, 4, 4)


def test_turned_crops_reach_both_ends_of_a_narrow_picture():
    inner = Keeping()
    loss, batch = OnCrops(inner, size=8, count=50, turned=True), {"noisy": torch.arange(20.0).expand(1, 1, 4, 20)}
    loss(torch.abs, batch, loss.draw(batch, torch.Generator().manual_seed(0)), 0.5)
    assert set(inner.kept["noisy"].flatten().tolist()) == set(range(20))


@pytest.mark.parametrize(("size", "count"), [(1, 1), (8, 0)])
def test_what_cannot_be_cropped_is_refused(size, count):
    with pytest.raises(UserError, match=f"OnCrops: size {size} and count {count} must be at least 2 and 1"):
        OnCrops(GRDLoss(), size, count)
