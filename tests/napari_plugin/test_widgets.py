"""The dock widgets in a viewer. On Linux, its layers need a display: ``xvfb-run -a python -m pytest ...``."""

import os
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from helpers import noisy_scene

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
napari = pytest.importorskip("napari", reason="napari is not installed: pip install 'torchdenoise[napari]' pytest-qt")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")
npe2 = pytest.importorskip("npe2")

from torchdenoise import denoise  # noqa: E402  # after what skips the file
from torchdenoise.fitting import DEFAULT_RECIPE  # noqa: E402
from torchdenoise.napari.denoise_widget import DenoiseWidget  # noqa: E402
from torchdenoise.napari.layers import appearance, axes_of, planes_of  # noqa: E402
from torchdenoise.napari.noise_widget import NoiseWidget  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # those of napari and Qt are theirs


@pytest.fixture
def viewer(request):
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        pytest.skip("layers in a viewer need OpenGL, hence a display: xvfb-run -a python -m pytest tests/napari_plugin")
    return request.getfixturevalue("make_napari_viewer")()


@pytest.fixture
def widget(viewer):
    def docked(kind=DenoiseWidget):
        made = kind(viewer)
        viewer.window.add_dock_widget(made)
        return made

    return docked


@pytest.fixture
def finished(qtbot):
    def wait(widget):
        qtbot.waitUntil(lambda: not widget.running, timeout=60_000)

    return wait


def test_the_manifest_is_valid_and_names_the_widgets():
    manifest = npe2.PluginManifest.from_file(Path(str(files("torchdenoise.napari"))) / "napari.yaml")
    manifest.validate_imports()
    assert [each.display_name for each in manifest.contributions.widgets] == ["Denoise", "Noise"]


def test_a_picture_becomes_a_new_layer_that_lies_and_looks_as_its_source(viewer, widget, finished):
    noisy = (200 * noisy_scene(channels=1)[..., 0]).astype(np.uint8)
    source = viewer.add_image(
        noisy,
        name="cells",
        scale=(0.5, 0.25),
        translate=(3, 4),
        units=("um", "um"),
        axis_labels=("y", "x"),
        colormap="magma",
        contrast_limits=(10, 180),
    )
    form = widget()
    assert (form.layer.value, form.axes.value, form.recipe.value) == (source, "YX", DEFAULT_RECIPE)
    assert form.recipe.choices[0] == DEFAULT_RECIPE
    assert "bm3d-oracle" not in form.recipe.choices
    form.recipe.value = "tv"
    form.device.value = "cpu"
    form.start.native.click()
    assert form.cancel.enabled
    assert not form.start.enabled
    finished(form)
    result = viewer.layers["cells denoised"]
    assert np.array_equal(result.data, denoise(noisy, "tv", device="cpu"))
    for name in ("units", "axis_labels", "contrast_limits", "gamma", "blending"):
        assert getattr(result, name) == getattr(source, name)
    assert result.colormap.name == "magma"
    assert np.allclose(result.scale, source.scale)
    assert np.allclose(result.translate, source.translate)
    assert (result.visible, source.visible) == (True, False)
    assert form.status.value == "done"
    assert form.start.enabled
    assert not form.cancel.enabled


def test_a_stack_with_scale_is_denoised_frame_by_frame(viewer, widget, finished):
    frames = np.stack([noisy_scene(channels=1, seed=seed)[..., 0] for seed in range(3)])
    viewer.add_image(frames, name="film", scale=(2, 0.5, 0.5), axis_labels=("time", "y", "x"), units=("s", "um", "um"))
    form = widget()
    assert form.axes.value == "TYX"
    form.recipe.value, form.device.value = "tv", "cpu"
    form.start.native.click()
    finished(form)
    result = viewer.layers["film denoised"]
    assert np.array_equal(result.data, denoise(frames, "tv", axes="TYX", device="cpu"))
    assert (result.scale.tolist(), result.units) == ([2, 0.5, 0.5], viewer.layers["film"].units)


def test_colours_are_samples_and_the_noise_is_said(viewer, widget, finished):
    viewer.add_image(noisy_scene(48, 48), name="rgb", rgb=True)
    form = widget()
    assert form.axes.value == "YXS"
    form.recipe.value, form.device.value = "instant", "cpu"
    form.start.native.click()
    finished(form)
    assert viewer.layers["rgb denoised"].rgb
    assert form.status.value.startswith("done\nnoise: ")


def test_cancelling_leaves_nothing_behind(viewer, widget, finished, qtbot):
    source = viewer.add_image(noisy_scene(channels=1)[..., 0])
    form = widget()
    form.recipe.value, form.device.value = "zsn2n", "cpu"
    form.start.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)  # a preview is shown
    assert form.status.value.startswith("step ")
    assert not source.visible
    form.cancel.native.click()
    finished(form)
    assert form.status.value == "cancelled"
    assert list(viewer.layers) == [source]
    assert source.visible
    assert form.start.enabled


def test_a_mistake_is_a_line_in_the_widget(viewer, widget, finished):
    viewer.add_image(noisy_scene(channels=1)[..., 0])
    form = widget()
    form.axes.value = "TYX"
    form.start.native.click()
    assert form.status.value.startswith("axes TYX are 3, but the shape (24, 28) has 2")
    form.axes.value, form.recipe.value, form.shared.value = "yx", "tv", True
    form.start.native.click()
    finished(form)
    assert "fits no network that frames could share" in form.status.value
    assert len(viewer.layers) == 1


def test_labels_are_no_image_and_no_layer_is_none(viewer, widget):
    form, noise = widget(), widget(NoiseWidget)
    assert form.status.value == "there is no layer: open a picture first"
    viewer.add_labels(np.ones((8, 9), int), name="cells")
    assert form.status.value == "cells is a layer of labels: choose an image"
    form.start.native.click()
    noise.start.native.click()
    assert form.status.value == noise.text.value == "cells is a layer of labels: choose an image"
    assert len(viewer.layers) == 1


def test_the_noise_of_a_layer(viewer, widget, qtbot):
    viewer.add_image(noisy_scene(112, 112, sigma=12), rgb=True)
    form = widget(NoiseWidget)
    form.start.native.click()
    qtbot.waitUntil(lambda: form.start.enabled, timeout=60_000)
    lines = form.text.value.splitlines()
    assert lines[0].startswith("noise: white, level 1")
    assert any(line.startswith("assumptions hold: ") and "fast" in line for line in lines)
    assert lines[-1].startswith("auto: by ")


def test_the_noise_of_each_channel_of_a_layer(viewer, widget, qtbot):
    viewer.add_image(np.moveaxis(noisy_scene(48, 48, channels=2), -1, 0), axis_labels=("channel", "y", "x"))
    form = widget(NoiseWidget)
    form.channels.value = "apart"
    form.start.native.click()
    qtbot.waitUntil(lambda: form.start.enabled, timeout=60_000)
    assert (
        sum(line.startswith(("channel 1: noise: ", "channel 2: noise: ")) for line in form.text.value.splitlines()) == 2
    )


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        ({"data": np.zeros((4, 5))}, "YX"),
        ({"data": np.zeros((4, 5, 3)), "rgb": True}, "YXS"),
        ({"data": np.zeros((2, 4, 5))}, "TYX"),
        ({"data": np.zeros((2, 2, 2, 4, 5))}, "TZQYX"),
        ({"data": np.zeros((2, 4, 5)), "axis_labels": ("channel", "row", "column")}, "CYX"),
        ({"data": np.zeros((2, 4, 5)), "axis_labels": ("here", "there", "everywhere")}, "TYX"),
    ],
)
def test_axes_follow_from_the_layer(layer, axes):
    assert axes_of(napari.layers.Image(**layer)) == axes


@pytest.mark.parametrize("close", ["viewer", "widget"])
def test_closing_the_viewer_or_the_widget_ends_the_work(viewer, widget, qtbot, close):
    viewer.add_image(noisy_scene(channels=1)[..., 0])
    form = widget()
    form.recipe.value, form.device.value = "zsn2n", "cpu"
    form.start.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    job = form._job
    if close == "viewer":
        viewer.close()
    else:
        viewer.window.remove_dock_widget(form.native)
        form.native.deleteLater()
    qtbot.waitUntil(lambda: job.over, timeout=60_000)
    assert job.error == "cancelled"


def test_of_a_pyramid_the_full_resolution_is_denoised():
    whole = np.zeros((8, 12))
    layer = napari.layers.Image([whole, whole[::2, ::2]], multiscale=True, name="a", colormap="magma")
    assert planes_of(layer, " yx ").shape == (8, 12)
    result = napari.layers.Image(whole, **appearance(layer))
    assert (result.multiscale, result.name, result.colormap.name) == (False, "a denoised", "magma")
