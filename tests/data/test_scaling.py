import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from torchdenoise.data.scaling import Scaling
from torchdenoise.errors import PictureError, UserError


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([3, 7], "uint8", (0, 255)),
        ([0, 200], "uint16", (0, 1023)),
        ([0, 1024], "uint16", (0, 4095)),
        ([0, 4096], ">u2", (0, 16383)),
        ([0, 65535], "uint16", (0, 65535)),
        ([29300, 29700], "uint16", (29300, 29700)),
        ([5, 70000], "uint32", (5, 70000)),
        ([-5, 100], "int16", (-5, 100)),
        ([5, 100], "int64", (5, 100)),
        ([0.25, 1.0], "float32", (0, 1)),
        ([0.25, 1.5], "float64", (0.25, 1.5)),
        ([293.0, 297.0], "float32", (293, 297)),
        ([0.0, 7.0], "float32", (0, 7)),
        ([0.5, 0.625], "float32", (0, 1)),
        ([0.5, 0.5625], "float32", (0.5, 0.5625)),
        ([0.0, 2.0**-20], "float32", (0, 2.0**-20)),
        ([0.5, 0.5], "float32", (0, 1)),
        ([-0.5, 0.5], "float16", (-0.5, 0.5)),
        ([0, 0], "int32", (0, 1)),
        ([7, 7], "int32", (0, 7)),
        ([-7, -7], "float32", (-7, 0)),
        ([0, 0], "float32", (0, 1)),
    ],
)
def test_range_follows_from_dtype_or_values(values, dtype, expected):
    scaling = Scaling.of(np.array(values, dtype=dtype))
    assert (scaling.low, scaling.high) == expected
    assert scaling.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize(("data_range", "expected"), [(100, (0, 100)), (np.float32(2), (0, 2)), ((-1, 1), (-1, 1))])
def test_a_stated_range_wins(data_range, expected):
    scaling = Scaling.of(np.zeros((2, 2), dtype=np.uint8), data_range)
    assert (scaling.low, scaling.high) == expected


@pytest.mark.parametrize("data_range", [0, -1, (1, 1), (2, 1), float("nan"), float("inf"), (0, 1e300), (0, 1e-300)])
def test_an_unusable_range_is_refused(data_range):
    with pytest.raises(UserError, match=r"data range .* not usable"):
        Scaling.of(np.zeros((2, 2)), data_range)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, dtype=bool), "type bool are not supported: convert them"),
        (np.zeros(3, dtype=complex), "type complex128"),
        (np.array(["a"]), "type <U1"),
        (np.zeros((0, 5)), "has no pixels: pass at least 1 x 1"),
        (np.array([0, np.nan, np.inf, -np.inf]), "^3 pixel values are NaN or infinite: replace them first"),
        (np.array([0, np.nan]), "^1 pixel value is NaN"),
    ],
)
def test_what_is_no_picture_is_refused(array, message):
    with pytest.raises(UserError, match=message):
        Scaling.of(array)


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(max_dims=3, max_side=5)))
def test_integers_come_back_exactly(array):
    scaling = Scaling.of(array)
    unit = scaling.to_unit(array)
    assert unit.dtype == torch.float32
    assert unit.shape == array.shape
    assert 0 <= unit.min() <= unit.max() <= 1
    restored = scaling.from_unit(unit)
    assert restored.dtype == array.dtype
    np.testing.assert_array_equal(restored, array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_integer_comes_back_exactly(dtype):
    array = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    np.testing.assert_array_equal(Scaling.of(array).from_unit(Scaling.of(array).to_unit(array)), array)


@given(
    st.sampled_from([np.float16, np.float32, np.float64]).flatmap(
        lambda dtype: hnp.arrays(dtype, 6, elements=st.floats(-1000, 1000, width=16))
    )
)
def test_floats_come_back_nearly(array):
    scaling = Scaling.of(array)
    restored = scaling.from_unit(scaling.to_unit(array))
    assert restored.dtype == array.dtype
    np.testing.assert_allclose(restored, array, atol=(scaling.high - scaling.low) * 1e-3)
    assert scaling.low <= restored.min()
    assert restored.max() <= scaling.high


def test_integers_are_clamped_and_rounded_half_to_even():
    scaling = Scaling(0, 10, np.dtype("uint8"))
    np.testing.assert_array_equal(scaling.from_unit(torch.tensor([-1, 0.05, 0.15, 0.25, 7])), [0, 0, 2, 2, 10])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint64", "int64"])
def test_a_range_wider_than_the_dtype_stops_at_its_bounds(dtype):
    restored = Scaling(-1e20, 1e20, np.dtype(dtype)).from_unit(torch.tensor([0.0, 1.0]))
    assert restored[0] == np.iinfo(dtype).min
    assert restored[1] >= np.iinfo(dtype).max - 2048


def test_a_diverged_result_is_refused():
    with pytest.raises(UserError, match="the fit diverged"):
        Scaling(0, 255, np.dtype("uint8")).from_unit(torch.tensor([0.5, float("nan")]))


@pytest.mark.parametrize("view", [np.s_[::-1], np.s_[:, ::2], np.s_[...]])
def test_views_and_foreign_byte_orders_are_fine(view):
    array = np.arange(20, dtype=">u2").reshape(4, 5)[view]
    scaling = Scaling.of(array, 19)
    np.testing.assert_array_equal(scaling.from_unit(scaling.to_unit(array)), array)


def test_floats_outside_the_range_are_kept():
    scaling = Scaling(10, 20, np.dtype("float32"))
    array = np.array([-5, 10, 12.5, 20, 45], dtype=np.float32)
    np.testing.assert_array_equal(scaling.from_unit(scaling.to_unit(array)), array)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_few_outliers_do_not_set_the_range_and_come_back(dtype):
    array = np.linspace(3000, 3100, 4096).reshape(64, 64).astype(dtype)
    array[3, 4], array[5, 6] = 10**6, -(10**5)
    scaling = Scaling.of(array)
    assert scaling.outliers
    assert 2890 < scaling.low <= 3000
    assert 3100 <= scaling.high < 3210
    unit = scaling.to_unit(array)
    seen = scaling.hide_outliers(unit)
    assert 0 <= seen.min() < seen.max() <= 1
    assert (seen != unit).nonzero().tolist() == [[3, 4], [5, 6]]
    restored = scaling.from_unit(scaling.keep_outliers(torch.zeros_like(unit), unit))
    assert (restored[3, 4], restored[5, 6]) == (10**6, -(10**5))
    np.testing.assert_allclose(np.sort(restored, axis=None)[1:-1], scaling.low, atol=0.5)


def test_bright_objects_on_a_dark_field_are_no_outliers():
    array = np.random.default_rng(0).normal(10, 1, (64, 64)).astype(np.float32)
    array[:3, :3] = 1000
    scaling = Scaling.of(array)
    assert (scaling.low, scaling.high, scaling.outliers) == (array.min(), 1000, False)


def test_float32_keeps_the_unit_and_rounds_nothing():
    scaling = Scaling.of(np.array([0, 4000], dtype=np.uint16))
    unit = torch.tensor([0.0, 1.0, 0.3])
    for dtype in ("float32", np.float32, torch.float32, np.dtype("float32")):
        restored = scaling.stored_as(dtype).from_unit(unit)
        assert restored.dtype == np.float32
        np.testing.assert_allclose(restored, [0, 4095, 1228.5], rtol=1e-6)
    assert scaling.stored_as("same") is scaling
    with pytest.raises(UserError, match="dtype=uint8: give 'same' or 'float32'"):
        scaling.stored_as("uint8")


@pytest.mark.parametrize(
    ("photons", "dtype", "too_coarse"),
    [(0.5, "uint16", True), (3, "uint8", True), (30, "uint8", False), (3, "float32", False), (3, "int32", True)],
)
def test_few_photons_are_too_few_for_whole_numbers(photons, dtype, too_coarse):
    clean = np.linspace(0.5 * photons, 1.5 * photons, 4096).reshape(64, 64)
    noisy = np.random.default_rng(0).poisson(clean).astype(dtype)
    error = np.std(clean - np.rint(clean)) / np.std(noisy.astype(float))
    assert (error > 0.1 and dtype != "float32") == too_coarse
    scaling = Scaling.of(noisy)
    image = torch.from_numpy((clean - scaling.low) / (scaling.high - scaling.low))
    assert scaling.rounds_away(image, scaling.to_unit(noisy)) == too_coarse


def test_little_noise_in_a_photograph_is_no_few_photons():
    clean = np.linspace(20, 230, 4096).reshape(64, 64)
    noisy = np.rint(clean + np.random.default_rng(0).normal(0, 1, clean.shape)).astype(np.uint8)
    scaling = Scaling.of(noisy)
    assert not scaling.rounds_away(torch.from_numpy(clean / 255), scaling.to_unit(noisy))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1e-20, 1e-37])
def test_small_values_have_a_range_of_their_own(dtype, width):
    array = (np.arange(4) / 3 * width).astype(dtype)
    scaling = Scaling.of(array)
    np.testing.assert_allclose(scaling.to_unit(array), np.arange(4) / 3, rtol=1e-6)
    np.testing.assert_allclose(scaling.from_unit(scaling.to_unit(array)), array, rtol=1e-6)


@pytest.mark.parametrize("width", [1e-39, 1e-300])
def test_values_too_close_for_float32_are_refused(width):
    with pytest.raises(PictureError, match="which float32 cannot represent: multiply them first"):
        Scaling.of(np.array([0, width]))
