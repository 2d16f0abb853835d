"""Stacks: frame by frame, with one scaling and one noise profile."""

import numpy as np
import pytest
import tifffile
import torch
from helpers import noisy_scene, random_pixels, scene

from torchdenoise.data import ArrayPlanes, Axes, Picture, Scaling
from torchdenoise.errors import AssumptionWarning, PictureError, UserError
from torchdenoise.fitting import Fitted, denoise
from torchdenoise.fitting import frames as frames_module
from torchdenoise.fitting.frames import denoise_frames, frame_groups


def stack(count=4, channels=0, sigma=25.0):
    frames = [noisy_scene(channels=max(channels, 1), sigma=sigma, seed=seed) for seed in range(count)]
    array = np.round(255 * np.stack(frames)).astype(np.uint8)
    return array if channels else array[..., 0]


def denoised(planes, make_restore, channels="together", **options):
    result = np.empty(planes.shape, planes.dtype)
    for number, plane in denoise_frames(frame_groups(planes, channels), make_restore, **options):
        planes.axes.put(result, number, plane)
    return result


def recorded(seen):
    """Return what makes restores that remember noise and images, and halve the images."""

    def make(group):
        def restore(images, neighbours=()):
            seen.append((group.noise, images))
            return [Fitted(image / 2) for image in images]

        return restore

    return make


def test_frames_share_scaling_and_noise_and_come_one_by_one():
    array, seen = random_pixels((5, 9, 8), "uint16") % 4000, []
    array[3, 0, 0] = 4001  # white of the whole is 4095, of the other frames too
    result = denoised(ArrayPlanes(array, Axes("TYX")), recorded(seen))
    assert [len(images) for _, images in seen] == [1] * 5
    assert len({id(noise) for noise, _ in seen}) == 1
    assert seen[0][0] is not None
    for number in range(5):
        np.testing.assert_allclose(seen[number][1][0][0, 0].numpy(), array[number] / 4095, rtol=1e-6)
    np.testing.assert_array_equal(result, np.rint(array / 2).astype("uint16"))


@pytest.mark.parametrize("channels", ["together", "apart"])
@pytest.mark.parametrize("letters", ["TCYX", "CTYX", "YXCT"])
def test_channels_together_or_apart(letters, channels):
    array = random_pixels(tuple({"T": 3, "C": 5, "Y": 9, "X": 8}[letter] for letter in letters))
    seen = []
    result = denoised(ArrayPlanes(array, Axes(letters)), recorded(seen), channels)
    np.testing.assert_array_equal(result, np.rint(array / 2).astype("uint8"))
    shapes = [tuple(images[0].shape) for _, images in seen]
    assert shapes == ([(1, 5, 9, 8)] * 3 if channels == "together" else [(1, 1, 9, 8)] * 15)
    assert len({id(noise) for noise, _ in seen}) == (1 if channels == "together" else 5)


def test_channels_apart_have_a_scaling_of_their_own():
    array = np.stack([random_pixels((9, 8), "float32"), 1000 * random_pixels((9, 8), "float32")])
    scalings = [group.scaling for group in frame_groups(ArrayPlanes(array, Axes("CYX")), "apart")]
    assert scalings == [Scaling.of(channel) for channel in array]


def test_transparency_is_kept():
    array = random_pixels((3, 9, 8, 4))
    result = denoised(ArrayPlanes(array, Axes("TYXS")), recorded([]))
    seen = array[..., 3:] > 0
    expected = np.where(seen, np.rint(array[..., :3] / 2).astype("uint8"), array[..., :3])
    np.testing.assert_array_equal(result[..., :3], expected)
    np.testing.assert_array_equal(result[..., 3], array[..., 3])


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_batches(batch):
    array, seen = random_pixels((5, 9, 8)), []
    result = denoised(ArrayPlanes(array, Axes("TYX")), recorded(seen), batch=batch)
    np.testing.assert_array_equal(result, np.rint(array / 2).astype("uint8"))
    assert max(len(images) for _, images in seen) == batch


def test_one_frame_gives_the_bytes_of_a_picture():
    noisy = stack(1)
    options = {"recipe": "zsn2n", "max_steps": 2, "device": "cpu"}
    np.testing.assert_array_equal(denoise(noisy, axes="TYX", **options)[0], denoise(noisy[0], **options))
    floats = noisy.astype(np.float32) * 40 + 17
    floats[0, 5, 5] = 1e9  # an outlier
    np.testing.assert_array_equal(denoise(floats, axes="TYX", **options)[0], denoise(floats[0], **options))


def test_the_noise_is_measured_once_in_frames_of_the_whole_stack(monkeypatch):
    measured, frames = [], []
    together = frames_module.FramesNoise.__init__.__globals__["_measure_together"]
    monkeypatch.setitem(
        frames_module.FramesNoise.__init__.__globals__,
        "_measure_together",
        lambda images: measured.append(len(images)) or together(images),
    )
    array = stack(20)
    planes = ArrayPlanes(array, Axes("TYX"))
    read = planes.read
    monkeypatch.setattr(planes, "read", lambda number: frames.append(number) or read(number))
    (group,) = frame_groups(planes)
    assert frames == []  # the range of 8 bits is known
    levels = [255 * group.noise.for_image(group.picture(number)[1].image).level.sigma for number in (0, 7, 19)]
    assert measured == [9]
    assert len(set(levels)) == 1
    assert set(frames) >= {0, 19}
    assert frames.count(2) <= 1


def test_a_stack_is_denoised_and_better_than_before():
    clean = np.stack([scene(channels=1)[..., 0]] * 3)
    result = denoise(stack(3), axes="TYX", recipe="instant", device="cpu") / 255.0
    error = np.square(result - clean).mean((1, 2))
    assert (error < 0.5 * np.square(stack(3) / 255.0 - clean).mean((1, 2))).all()


def test_files_and_arrays_give_the_same(tmp_path):
    array = stack(3)
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, metadata={"axes": "TYX"})
    options = {"recipe": "tv", "device": "cpu"}
    np.testing.assert_array_equal(denoise(tmp_path / "a.tif", **options), denoise(array, axes="TYX", **options))
    result = denoise(array, axes="TYX", dtype="float32", **options)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(np.rint(result), denoise(array, axes="TYX", **options))


def test_channel_axis_is_that_of_scikit_image():
    array = stack(1, channels=3)[0]
    options = {"recipe": "zsn2n", "max_steps": 2, "device": "cpu"}
    expected = denoise(array, **options)
    np.testing.assert_array_equal(denoise(array, channel_axis=-1, **options), expected)
    moved = denoise(np.moveaxis(array, -1, 0), channel_axis=0, **options)
    np.testing.assert_array_equal(np.moveaxis(moved, 0, -1), expected)


def test_any_number_of_channels():
    result = denoise(random_pixels((31, 12, 10)), "fast", channel_axis=0, device="cpu", max_steps=1)
    assert (result.shape, result.dtype) == ((31, 12, 10), np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float16", "float32", "float64", "int64"])
def test_strength_0_changes_nothing(dtype):
    array = (
        random_pixels((3, 2, 9, 8), "int32").astype(dtype) if dtype[0] != "f" else 77.7 * random_pixels((3, 2, 9, 8))
    )
    array = array.astype(dtype)
    np.testing.assert_array_equal(denoise(array, axes="TCYX", strength=0, device="cpu"), array)


@pytest.mark.parametrize(
    ("noisy", "options", "message"),
    [
        (torch.zeros(1, 1, 9, 8), {"axes": "TCYX"}, "axes, channel_axis and scene are for arrays and files"),
        (np.zeros((9, 8)), {"scene": 2}, "scene=2 is for files: leave it out"),
        ("a.tif", {"channel_axis": 0}, "channel_axis is for arrays: give axes"),
        (
            np.zeros((6, 9, 8)),
            {"axes": "TYX", "channels": "both"},
            "channels='both': give 'auto', 'tog",
        ),
        (np.zeros((6, 9, 8)), {"axes": "TYX", "batch": 0}, "batch=0: must be at least 1"),
        (np.full((6, 9, 8), np.nan), {"axes": "TYX"}, "every pixel is NaN"),
        (np.full((6, 9, 8), np.inf), {"axes": "TYX"}, "72 pixel values are NaN or infinite"),
        (np.zeros((6, 9, 8)), {"axes": "ZTYX"}, "axes ZTYX are 4, but the shape"),
    ],
)
def test_what_cannot_be_done_is_said(noisy, options, message):
    with pytest.raises(UserError, match=message):
        denoise(noisy, device="cpu", **options)


def test_the_frame_that_fails_is_named():
    def make(group):
        return lambda images, neighbours: [PictureError("too bad")]

    with pytest.raises(PictureError, match="frame 1 of 3: too bad"):
        denoised(ArrayPlanes(stack(3), Axes("TYX")), make)


def test_frames_handed_over_as_channels_are_a_warning():
    texture = np.kron(np.random.default_rng(0).integers(0, 255, (12, 12)), np.ones((8, 8))).astype(np.uint8)
    frames = np.stack([np.roll(texture, (0, 4 * number), (0, 1)) for number in range(3)])
    said = "channels 1 and 2 show the same, shifted by 0 rows and 4 columns: they may be frames; give axes="
    for array, options, axes in (
        (frames, {"channel_axis": 0}, "TYX"),
        (frames[:, None], {"axes": "CTYX"}, "ZTYX"),
        (np.moveaxis(frames, 0, -1), {}, "YXT"),
    ):
        with pytest.warns(AssumptionWarning, match=f"{said}'{axes}'"):
            denoise(array, strength=0, device="cpu", **options)
        np.testing.assert_array_equal(denoise(array, axes=axes, strength=0, device="cpu"), array)


@pytest.mark.parametrize(("shape", "axes"), [((2, 16, 16), "TYX"), ((8, 16, 16), "TYX"), ((3, 2, 16, 16), "TCYX")])
def test_a_stack_without_axes_is_told_how_to_name_them(shape, axes):
    array = np.zeros(shape, np.uint8)
    with pytest.raises(PictureError, match=rf"shape \({shape[0]}, .* is not one picture .*: give axes='{axes}' "):
        denoise(array, device="cpu")
    assert denoise(array, axes=axes, strength=0, device="cpu").shape == shape


def test_pictures_of_frames_have_any_number_of_channels():
    picture = Picture.of_frame(random_pixels((9, 8, 5)), Scaling(0, 255, np.dtype("uint8")))
    np.testing.assert_array_equal(picture.restore(picture.image), random_pixels((9, 8, 5)))


def test_nan_and_masked_pixels_of_a_stack_are_kept_and_not_seen():
    array = stack(4, sigma=5).astype(np.float32)
    holes = np.zeros(array.shape, dtype=bool)
    holes[0, 3:9, 4:15] = holes[2, 10:12, 3] = holes[1] = True
    array[holes] = np.nan
    options = {"axes": "TYX", "recipe": "fast", "max_steps": 2, "device": "cpu"}
    result = denoise(array, **options)
    np.testing.assert_array_equal(np.isnan(result), holes)
    assert abs(result[~holes] - stack(4, sigma=0)[~holes]).mean() < 5
    hidden = np.ma.MaskedArray(np.where(holes, 1e6, array), mask=holes)  # values that nobody may see
    masked = denoise(hidden, **options)
    np.testing.assert_array_equal(masked.mask, holes)
    np.testing.assert_array_equal(masked.data[~holes], result[~holes])
    assert (masked.data[holes] == 1e6).all()
    for mask in (holes, holes[0]):
        assert (denoise(stack(4), mask=mask, **options)[0, holes[0]] == stack(4)[0, holes[0]]).all()


def test_a_frame_with_holes_gives_the_bytes_of_a_picture():
    array = stack(1).astype(np.float32) / 7 - 3
    array[0, 5:12, 6:9] = np.nan
    options = {"recipe": "zsn2n", "max_steps": 2, "device": "cpu"}
    np.testing.assert_array_equal(denoise(array, axes="TYX", **options)[0], denoise(array[0], **options))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((5, 9, 8)), "the mask has 5 planes, the stack 3 frames: give one mask for all, or one for each"),
        (np.ones((8, 8)), "the mask is 8x8 pixels, the stack 8x9"),
        (np.ones((1, 2, 9, 8)), "must be"),
        (np.ones((9, 8)), "every pixel is NaN, transparent, without data or masked"),
    ],
)
def test_masks_that_do_not_fit(mask, message):
    with pytest.raises(UserError, match=message):
        denoise(random_pixels((3, 9, 8), "uint16"), axes="TYX", mask=mask, device="cpu")
