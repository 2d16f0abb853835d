"""The work on a layer, without napari. The folder is not called ``napari``, which would hide the real one."""

import threading

import numpy as np
import pytest
from helpers import clipped_noise, noisy_scene

from torchdenoise import denoise
from torchdenoise.data import ArrayPlanes, Axes
from torchdenoise.napari import job as job_module
from torchdenoise.napari.job import Job, Settings
from torchdenoise.napari.layers import LayerPlanes


def stack(frames=3):
    return np.stack([noisy_scene(channels=2, seed=seed) for seed in range(frames)])


@pytest.fixture
def previews_at_every_step(monkeypatch):
    monkeypatch.setattr(job_module, "INTERVAL", 0.0)
    monkeypatch.setattr(job_module, "MAX_SHARE", 1e9)


@pytest.mark.parametrize(
    ("array", "axes", "chosen", "options"),
    [
        (noisy_scene(channels=1)[..., 0], "YX", {}, {}),
        ((255 * noisy_scene()).astype(np.uint8), "YXS", {}, {}),
        (noisy_scene(channels=4).astype(np.float32), "YXS", {}, {}),
        (stack(), "TYXC", {}, {}),
        (stack(), "TYXC", {"channels": "apart"}, {"channels": "apart"}),
        (stack(), "TYXC", {"shared": True, "strength": 0.5}, {"fit": "shared", "strength": 0.5}),
        (stack().astype(np.float16), "TYXC", {"as_float": True}, {"dtype": "float32"}),
    ],
)
def test_it_gives_what_denoise_gives_whatever_is_shown_meanwhile(
    previews_at_every_step, recipe_of_few_steps, array, axes, chosen, options
):
    job = Job(ArrayPlanes(array, Axes(axes)), Settings(recipe_of_few_steps, device="cpu", **chosen))
    job.run()
    assert (job.error, job.over, job.fraction) == ("", True, 1.0)
    expected = denoise(array, recipe_of_few_steps, axes=axes, device="cpu", **options)
    assert (job.result.dtype, job.result.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(job.result, expected)


@pytest.fixture
def recipe_of_few_steps(tmp_path):
    path = tmp_path / "few.yaml"
    path.write_text(
        "seed_everything: 0\ntrainer: {max_steps: 3}\nmodel: {class_path: ZSN2N}\ndata: {class_path: SingleImage}\n"
    )
    return str(path)


def test_previews_of_the_present_frame_come_before_its_result(previews_at_every_step, recipe_of_few_steps):
    seen = []
    array = stack()

    def look():
        seen.append((job.line, job.fraction, job.result.any((1, 2, 3)).tolist()))
        return False

    job = Job(ArrayPlanes(array, Axes("TYXC")), Settings(recipe_of_few_steps, device="cpu"), look)
    job.run()
    assert seen[0] == ("frame 1 of 3, step 1 of 3", pytest.approx(1 / 9), [True, False, False])
    assert seen[3] == ("frame 1 of 3, reading the result", pytest.approx(1 / 3), [True, False, False])
    assert seen[4] == ("frame 2 of 3, step 1 of 3", pytest.approx(4 / 9), [True, True, False])


def test_a_stop_ends_it_from_another_thread():
    stop, begun = threading.Event(), threading.Event()

    def asked():
        begun.set()
        return stop.is_set()

    job = Job(ArrayPlanes(noisy_scene(), Axes("YXS")), Settings("zsn2n", device="cpu"), asked)
    thread = threading.Thread(target=job.run)
    thread.start()
    assert begun.wait(60)
    stop.set()
    thread.join(60)
    assert (job.over, job.error) == (True, "cancelled")


@pytest.mark.parametrize(
    ("array", "settings", "message"),
    [
        (np.zeros((8, 9), complex), Settings(), "complex"),
        (noisy_scene()[..., 0], Settings("fats"), "did you mean fast?"),
        (noisy_scene()[..., 0], Settings(device="cuda:99"), "device cuda:99"),
        (stack(), Settings("tv", shared=True), "fits no network that frames could share"),
    ],
)
def test_a_mistake_is_a_line(array, settings, message):
    job = Job(ArrayPlanes(array, Axes("TYXC"[-array.ndim :] if array.ndim > 2 else "YX")), settings)
    job.run()
    assert job.over
    assert message in job.error
    assert "\n" not in job.error


def test_an_unexpected_error_is_left_to_napari_and_ends_the_work(monkeypatch):
    def broken(*_):
        raise KeyError("frames")

    monkeypatch.setattr(job_module, "check_frames_memory", broken)
    job = Job(ArrayPlanes(np.zeros((8, 9)), Axes("YX")), Settings())
    with pytest.raises(KeyError):
        job.run()
    assert (job.over, job.error) == (True, "failed")


def test_the_noise_and_warnings_are_remarks():
    job = Job(ArrayPlanes(clipped_noise(), Axes("YXS")), Settings("instant", device="cpu"))
    job.run()
    assert job.remarks[0].startswith("noise: ")
    few = Job(ArrayPlanes(np.random.default_rng(0).poisson(1, (24, 24)), Axes("YX")), Settings("tv", device="cpu"))
    few.run()
    assert any(line.startswith("warning: whole numbers are too coarse") for line in few.remarks)
    assert few.remarks[-1].endswith(": tick float32")


def test_each_channel_that_is_denoised_alone_has_its_noise_among_the_remarks(tmp_path):
    (tmp_path / "few.yaml").write_text(
        "seed_everything: 0\ntrainer: {max_steps: 2}\nmodel: {class_path: Recorrupted}\n"
        "data: {class_path: SingleImage}\n"
    )
    settings = Settings(str(tmp_path / "few.yaml"), device="cpu", channels="apart")
    job = Job(ArrayPlanes(stack(2), Axes("TYXC")), settings)
    job.run()
    assert [line.partition(": noise: ")[0] for line in job.remarks] == ["channel 1", "channel 2"]


def test_an_array_of_dask_is_computed_plane_by_plane():
    dask = pytest.importorskip("dask.array", reason="Dask comes with the extra cluster")
    array = stack()
    planes = LayerPlanes(dask.from_array(array, chunks=(1, -1, -1, -1)), Axes("TYXC"))
    job = Job(planes, Settings("tv", device="cpu"))
    job.run()
    assert np.array_equal(job.result, denoise(array, "tv", axes="TYXC", device="cpu"))
