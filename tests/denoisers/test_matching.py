"""Whether a method and its data fit together."""

import pytest
import torch

from tests.denoisers.small_fits import Paired, fit, picture, small
from torchdenoise.denoisers import ZSN2N, Network, OnePass, RunningMean, SmallCNN
from torchdenoise.denoisers.matching import check_crops, check_keys, match_network
from torchdenoise.errors import DataError, UserError


def test_a_key_that_the_data_lack_is_named():
    with pytest.raises(UserError, match="Paired needs target beside the noisy image, and this data module gives noisy"):
        fit(small(loss=Paired()))


@pytest.mark.parametrize(("made_for", "given"), [(3, 1), (1, 3)])
def test_a_network_made_for_other_channels_is_refused(made_for, given):
    message = rf"have {given} channel\(s\), the network was made for {made_for}: .* model.network.channels={given}"
    with pytest.raises(UserError, match=message):
        fit(small(made_for), picture(given))


class Unsaid(Network):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 3, 1)

    def forward(self, image):
        return self.layer(image)


class Fixed(Unsaid):
    def __init__(self):
        super().__init__()
        self.channels = 3


def test_a_network_that_does_not_set_its_channels_is_named():
    with pytest.raises(DataError, match=r"^Unsaid does not set self.channels in its constructor: set it to the number"):
        fit(ZSN2N(Unsaid()))


def test_a_network_that_takes_no_number_of_channels_is_rebuilt_as_it_was(tmp_path):
    path = tmp_path / "fixed.ckpt"
    model = ZSN2N(Fixed())
    fit(model).save_checkpoint(path)
    assert torch.equal(ZSN2N.load(path).restore(picture()), model.restore(picture()))
    with pytest.raises(DataError, match=r"have 1 channel\(s\), the network was made for 3"):
        fit(ZSN2N(Fixed()), picture(1))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_network_without_a_number_of_channels_takes_that_of_the_pictures(channels):
    model = small()
    fit(model, picture(channels))
    assert model.network.channels == channels
    assert model.network.arguments["width"] == 5
    with pytest.raises(UserError, match="fit again"):
        fit(model, picture(channels + 1))


def test_a_network_of_the_right_channels_stays_and_its_number_is_fixed():
    network = SmallCNN(width=2)
    assert match_network(network, "network", 3, fitted=False) is network
    assert network.arguments["channels"] == 3


@pytest.mark.parametrize("fitted", [False, True])
def test_a_network_is_rebuilt_only_before_its_fit(fitted):
    network = SmallCNN(width=2)
    if fitted:
        with pytest.raises(DataError, match=r"the refiner was made for 3: .* set model.refiner.channels=1"):
            match_network(network, "refiner", 1, fitted)
    else:
        assert match_network(network, "refiner", 1, fitted).channels == 1


def test_all_missing_keys_are_named():
    loss = Paired()
    check_keys(loss, {"noisy", "target"})
    with pytest.raises(DataError, match=r"^Paired needs target beside the noisy image, .* gives level, noisy: choose"):
        check_keys(loss, {"noisy", "level"})


def test_crops_suit_neither_a_method_nor_a_readout_of_the_whole_picture():
    check_crops(None, True, OnePass(), 8)
    with pytest.raises(DataError, match=r"^RunningMean is fitted to one whole picture, not to crops of 8"):
        check_crops(small(), True, RunningMean(), 8)
    with pytest.raises(DataError, match=r"^ZSN2N is fitted to one whole picture, not to crops of 8"):
        check_crops(small(), False, OnePass(), 8)
