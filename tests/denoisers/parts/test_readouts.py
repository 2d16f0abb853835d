import numpy as np
import pytest
import torch

from torchdenoise.denoisers import EightTurns, OnePass

SIZES = [(2, 2), (3, 5), (6, 2)]


def lopsided(image):
    """Knows up from down, left from right, and rows from columns."""
    return image.cumsum(-1) - 0.5 * image.cumsum(-2).square()


def slow_eight(image):
    """Every flip and turn as a table of places: take the pixels there, and put the results back."""
    places = np.arange(image[0, 0].size).reshape(image.shape[-2:])
    result = np.zeros_like(image)
    for plane in (places, places[:, ::-1]):
        for _ in range(4):
            plane = plane.T[::-1]
            turned = image.reshape(*image.shape[:2], -1)[..., plane.ravel()].reshape(*image.shape[:2], *plane.shape)
            answer = lopsided(torch.from_numpy(turned)).numpy()
            result.reshape(*image.shape[:2], -1)[..., plane.ravel()] += answer.reshape(*image.shape[:2], -1) / 8
    return result


def image_of(size):
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.mark.parametrize("size", SIZES)
def test_eight_turns_against_tables_of_places(size):
    image = image_of(size)
    result = EightTurns()(lopsided, image, torch.Generator())
    np.testing.assert_allclose(result.numpy(), slow_eight(image.numpy()), rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_eight_turns_make_any_function_turn_with_its_image(size):
    image = image_of(size)

    def read(noisy):
        return EightTurns()(lopsided, noisy, torch.Generator())

    torch.testing.assert_close(read(image.rot90(1, (-2, -1))), read(image).rot90(1, (-2, -1)))
    torch.testing.assert_close(read(image.flip(-2)), read(image).flip(-2))
    assert not torch.allclose(lopsided(image.flip(-2)), lopsided(image).flip(-2))


def test_one_pass_is_one_pass():
    image = image_of((3, 5))
    assert torch.equal(OnePass()(lopsided, image, torch.Generator()), lopsided(image))
