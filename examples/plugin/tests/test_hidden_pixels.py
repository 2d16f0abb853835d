"""The contracts of torchdenoise hold for every class of the plugin."""

from hidden_pixels import GatedCNN, HiddenPixelsLoss, SpeckleNoise

from torchdenoise.denoisers import SingleStage
from torchdenoise.testing import check_denoiser, check_loss, check_noise_model


def test_the_loss():
    check_loss(HiddenPixelsLoss())


def test_the_noise_model():
    check_noise_model(SpeckleNoise(0.2))


def test_the_network_with_the_loss():
    check_denoiser(SingleStage(GatedCNN(width=4, depth=2), HiddenPixelsLoss()))
