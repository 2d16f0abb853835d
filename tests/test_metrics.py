import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from torchdenoise import UserError, metrics
from torchdenoise.benchmarking.columns import columns
from torchdenoise.metrics import psnr, scores, ssim


def pair_of(channels, height, width):
    """Three pictures of structure, and worse and worse copies of them."""
    rng = np.random.default_rng(0)
    clean = np.cumsum(rng.normal(size=(3, channels, height, width)), axis=-1)
    clean = (clean - clean.min()) / np.ptp(clean)
    noisy = np.clip(clean + np.array([0.02, 0.1, 0.3])[:, None, None, None] * rng.normal(size=clean.shape), 0, 1)
    return noisy, clean


def tensors(*arrays):
    return [torch.from_numpy(array).float() for array in arrays]


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 20, 31), (3, 2, 2)])
def test_psnr_of_each_picture(shape):
    noisy, clean = pair_of(*shape)
    expected = [10 * np.log10(1 / np.mean((one - other) ** 2)) for one, other in zip(noisy, clean, strict=True)]
    np.testing.assert_allclose(psnr(*tensors(noisy, clean)).numpy(), expected, atol=1e-3)


def test_equal_pictures_have_infinite_psnr():
    assert psnr(torch.ones(2, 1, 3, 3), torch.ones(2, 1, 3, 3)).tolist() == [float("inf")] * 2


@pytest.mark.parametrize("shape", [(1, 11, 11), (1, 16, 40), (3, 20, 31), (3, 12, 11)])
def test_ssim_of_each_picture(shape):
    noisy, clean = pair_of(*shape)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1, "win_size": 11}
    expected = []
    for one, other in zip(noisy, clean, strict=True):
        _, everywhere = structural_similarity(one, other, channel_axis=0, full=True, **options)
        expected.append(everywhere[:, 5:-5, 5:-5].mean())
    np.testing.assert_allclose(ssim(*tensors(noisy, clean)).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("size", [(10, 30), (30, 10), (2, 2)])
def test_ssim_has_no_value_for_pictures_smaller_than_its_window(size):
    image = torch.rand(2, 3, *size)
    value = ssim(image, image)
    assert value.shape == (2,)
    assert value.isnan().all()


def batch_of(channels=3, height=14, width=17):
    noisy, clean = pair_of(channels, height, width)
    return dict(zip(("noisy", "clean"), tensors(noisy, clean), strict=True))


def test_every_metric_has_a_value_for_each_picture():
    batch = batch_of()
    found = scores(batch["noisy"].clamp(0, 1) / 2, batch)
    assert list(found)[:4] == ["psnr", "ssim", "removed", "correlation"]
    assert {value.shape for value in found.values()} == {(3,)}
    assert torch.equal(found["psnr"], psnr(batch["noisy"] / 2, batch["clean"]))


def test_without_a_clean_picture_only_those_that_need_none():
    batch = batch_of()
    assert {"removed", "correlation"} <= set(scores(batch["noisy"], {"noisy": batch["noisy"]}))
    assert "psnr" not in scores(batch["noisy"], {"noisy": batch["noisy"]})


def test_what_was_removed_and_how_its_neighbours_correlate():
    batch = batch_of()
    result = batch["noisy"].roll(1, -1)
    removed = 255 * (batch["noisy"] - result).numpy()
    found = scores(result, batch)
    for index, each in enumerate(removed):
        centred = each - each.mean((-2, -1), keepdims=True)
        across = (centred[:, :, :-1] * centred[:, :, 1:]).mean()
        down = (centred[:, :-1] * centred[:, 1:]).mean()
        assert found["removed"][index].item() == pytest.approx(each.std(ddof=1), rel=1e-4)
        assert found["correlation"][index].item() == pytest.approx(
            (across + down) / 2 / np.square(centred).mean(), abs=1e-4
        )


def test_a_metric_of_the_wrong_shape_is_refused(monkeypatch):
    monkeypatch.setattr(metrics.PSNR, "__call__", lambda self, result, batch: result.mean())
    with pytest.raises(UserError, match="PSNR must return a tensor with one value for each image"):
        scores(torch.zeros(2, 1, 16, 16), {"noisy": torch.zeros(2, 1, 16, 16), "clean": torch.zeros(2, 1, 16, 16)})


def test_a_metric_named_like_another_column_is_refused(monkeypatch):
    monkeypatch.setattr(metrics.Removed, "short_name", "seconds")
    with pytest.raises(UserError, match="the metric seconds has the name of another column"):
        columns()
