"""``denoise()`` from Python: kinds, ranges, seeds, and what it leaves alone."""

import logging
import random
import re
import signal
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import lightning
import numpy as np
import pytest
import torch
from helpers import noisy_scene, scene, write_png

from torchdenoise import ZSN2N, DenoisingLoss, EightTurns, Readout, SingleImage, SmallCNN, UserError, denoise
from torchdenoise.denoisers import MaskedMean
from torchdenoise.errors import AssumptionWarning
from torchdenoise.fitting import accelerator
from torchdenoise.fitting.trainers import HYGIENE
from torchdenoise.recipes import load_recipe


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 1), (9, 8, 3), (8, 9, 4)])
def test_arrays_keep_shape_dtype_and_range(dtype, shape):
    white = 1 if np.issubdtype(dtype, np.floating) else 200
    noisy = (white * np.random.default_rng(0).random(shape)).astype(dtype)
    clean = denoise(noisy, max_steps=2, device="cpu")
    assert (clean.shape, clean.dtype) == (shape, dtype)
    assert clean.min() >= 0
    assert clean.max() <= {1: 1, 200: 1023 if dtype is np.uint16 else 255}[white]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_keep_shape_dtype_and_device(dtype, channels):
    noisy = torch.rand(2, channels, 9, 8, generator=torch.Generator().manual_seed(0))
    noisy = (200 * noisy).to(dtype) if dtype is torch.uint8 else noisy.to(dtype)
    clean = denoise(noisy, max_steps=2, device="cpu")
    assert (clean.shape, clean.dtype, clean.device) == (noisy.shape, dtype, noisy.device)


def test_every_picture_of_a_stack_is_fitted_by_itself():
    stack = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    together = denoise(stack, max_steps=3, device="cpu")
    assert torch.equal(together[1:], denoise(stack[1:], max_steps=3, device="cpu"))


def test_it_denoises():
    clean, noisy = scene(48, 48), noisy_scene(48, 48)
    restored = denoise(noisy, max_steps=150, device="cpu")
    assert np.mean((restored - clean) ** 2) < 0.4 * np.mean((noisy - clean) ** 2)


def test_a_file_gives_an_array(tmp_path):
    path = write_png(tmp_path / "x.png", noisy_scene())
    assert denoise(path, max_steps=2, device="cpu").dtype == np.uint8
    assert denoise(str(path), max_steps=2, device="cpu").shape == (24, 28, 3)


def test_the_data_range_decides_what_is_white():
    noisy = noisy_scene().astype(np.float32)
    unit = denoise(noisy, max_steps=5, device="cpu", data_range=1.0)
    wide = denoise(noisy * 2 - 1, max_steps=5, device="cpu", data_range=(-1.0, 1.0))
    np.testing.assert_allclose((wide + 1) / 2, unit, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"budget": 0.05}, {"checkpoint": "x.ckpt"}])
def test_strength_blends_result_and_input(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    if "checkpoint" in options:
        data = SingleImage()
        data.use(torch.rand(1, 3, 8, 8))
        trainer = lightning.Trainer(max_steps=1, **HYGIENE)
        trainer.fit(ZSN2N(SmallCNN(3, width=4)), datamodule=data)
        trainer.save_checkpoint("x.ckpt")
    options = options or {"recipe": "tv"}
    if "budget" in options:
        monkeypatch.setattr("torchdenoise.fitting.budget.Budget.steps", lambda *_: 1)
    noisy = 2 * torch.rand(2, 3, 9, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    full, some, none = (
        denoise(noisy, device="cpu", strength=strength, data_range=1.0, **options) for strength in (1, 0.7, 0)
    )
    torch.testing.assert_close(some, noisy + 0.7 * (full - noisy))
    torch.testing.assert_close(none, noisy)


def test_strength_of_stacked_fits():
    noisy = torch.rand(2, 1, 9, 8, generator=torch.Generator().manual_seed(0))
    options = {"max_steps": 1, "device": "cpu", "batch": 2, "data_range": 1.0}
    full, some = (denoise(noisy, strength=strength, **options) for strength in (1, 0.25))
    torch.testing.assert_close(some, noisy + 0.25 * (full - noisy))


def test_float32_results_are_those_before_rounding(tmp_path):
    noisy = np.round(255 * noisy_scene()).astype(np.uint8)
    options = {"recipe": "tv", "device": "cpu"}
    fractions = denoise(noisy, dtype="float32", **options)
    assert fractions.dtype == np.float32
    assert not np.array_equal(fractions, np.rint(fractions))
    np.testing.assert_array_equal(np.rint(fractions), denoise(noisy, **options))
    path = write_png(tmp_path / "x.png", noisy_scene())
    np.testing.assert_array_equal(denoise(path, dtype=np.float32, **options), fractions)
    tensor = torch.from_numpy(noisy).permute(2, 0, 1)[None]
    as_tensor = denoise(tensor, dtype=torch.float32, **options)
    np.testing.assert_array_equal(as_tensor[0].permute(1, 2, 0).numpy(), fractions)
    assert denoise(tensor.bfloat16(), dtype="float32", **options).dtype == torch.float32


def test_too_few_photons_for_whole_numbers_are_a_warning():
    noisy = np.random.default_rng(0).poisson(0.7, (24, 24)).astype(np.uint16)
    for given in (noisy, torch.from_numpy(noisy.astype(np.uint8))[None, None]):
        with pytest.warns(AssumptionWarning, match="whole numbers are too coarse .*: pass dtype='float32'"):
            denoise(given, "tv", device="cpu")
        with warnings.catch_warnings():
            warnings.simplefilter("error", AssumptionWarning)
            denoise(given, "tv", device="cpu", dtype="float32")


def test_an_outlier_harms_nothing_and_stays():
    noisy = np.random.default_rng(0).normal(300, 0.5, (32, 32)).astype(np.float32)
    noisy[4, 5] = 1e6
    clean = denoise(noisy, "tv", device="cpu")
    tensor = denoise(torch.from_numpy(noisy)[None, None], "tv", device="cpu")
    np.testing.assert_array_equal(tensor[0, 0].numpy(), clean)
    assert clean[4, 5] == pytest.approx(1e6)
    assert np.std(np.delete(clean, 4 * 32 + 5)) < 0.3


def test_same_seed_same_bytes_whatever_ran_before():
    noisy = noisy_scene()
    first = denoise(noisy, max_steps=3, device="cpu")
    torch.rand(17)
    np.random.rand(3)  # noqa: NPY002
    assert np.array_equal(first, denoise(noisy, max_steps=3, device="cpu"))
    assert not np.array_equal(first, denoise(noisy, max_steps=3, seed=1, device="cpu"))


def test_it_leaves_the_caller_alone(monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "77")
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(3), random.random(), np.random.rand()  # noqa: NPY002
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    handler, filters, threads = signal.getsignal(signal.SIGINT), list(warnings.filters), torch.get_num_threads()
    denoise(noisy_scene(), max_steps=2, device="cpu")
    with pytest.raises(UserError):
        denoise(np.full((8, 8), np.inf), device="cpu")
    assert torch.equal(torch.rand(3), expected[0])
    assert (random.random(), np.random.rand()) == expected[1:]  # noqa: NPY002
    assert (signal.getsignal(signal.SIGINT), list(warnings.filters), torch.get_num_threads()) == (
        handler,
        filters,
        threads,
    )
    assert lightning.fabric.utilities.seed.os.environ["PL_GLOBAL_SEED"] == "77"


def test_parts_are_a_users_objects():
    class Mine(DenoisingLoss):
        def forward(self, denoise, batch, draws, progress):
            return {"mine": (denoise(batch["noisy"]) - 0.25).square().mean()}

    flat = denoise(noisy_scene(), "zsn2n", loss=Mine(), max_steps=300, device="cpu")
    assert abs(flat.mean() - 0.25) < 0.02
    small = denoise(noisy_scene(), network=SmallCNN(width=4), readout=EightTurns(), max_steps=2, device="cpu")
    assert small.shape == (24, 28, 3)


def test_a_users_network_is_unchanged_and_every_picture_starts_from_it():
    network = SmallCNN(3, width=4)
    before = [parameter.clone() for parameter in network.parameters()]
    stack = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    together = denoise(stack, network=network, max_steps=5, device="cpu")
    assert torch.equal(together[1:], denoise(stack[1:], network=network, max_steps=5, device="cpu"))
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_progress_is_called_after_every_step():
    calls = []
    denoise(noisy_scene(), max_steps=3, device="cpu", progress=lambda step, steps: calls.append((step, steps)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_a_key_press_in_a_fit_is_a_keyboard_interrupt_and_the_key_works_on():
    def pressed(step, steps):
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        denoise(noisy_scene(), max_steps=3, device="cpu", progress=pressed)
    assert signal.getsignal(signal.SIGINT) is handler


def test_kill_ends_a_fit_with_its_own_exit_code_and_the_handler_comes_back():
    def killed(step, steps):
        steps_seen.append(step)
        signal.raise_signal(signal.SIGTERM)

    class LastStep(Readout):
        def forward(self, denoise, noisy, generator):
            signal.raise_signal(signal.SIGTERM)
            return denoise(noisy)

    steps_seen = []
    for options in (
        {"progress": killed, "max_steps": 9},
        {"readout": LastStep(), "max_steps": 1, "recipe": "zsn2n"},
    ):
        with pytest.raises(SystemExit) as caught:
            denoise(noisy_scene(), device="cpu", **options)
        assert caught.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert steps_seen == [1]


def test_the_modes_of_torch_around_it_change_nothing():
    noisy = noisy_scene().astype(np.float32)
    plain = denoise(noisy, max_steps=2, device="cpu")
    with torch.inference_mode():
        assert np.array_equal(denoise(noisy, max_steps=2, device="cpu"), plain)
        assert torch.is_inference_mode_enabled()
    torch.set_default_dtype(torch.float64)
    try:
        assert np.array_equal(denoise(noisy, max_steps=2, device="cpu"), plain)
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_threads_do_not_take_each_other_s_draws():
    before = torch.get_rng_state()
    seeds = [0, 1, 2, 3]

    def fitted(seed):
        return denoise(noisy_scene(), max_steps=2, device="cpu", seed=seed)

    alone = [fitted(seed) for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(fitted, seeds))
    assert all(np.array_equal(*pair) for pair in zip(alone, beside, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_big_endian_arrays_come_back_so():
    noisy = noisy_scene().astype(">f4")
    assert denoise(noisy, max_steps=1, device="cpu").dtype == noisy.dtype


def test_hidden_pixels_are_kept_and_change_nothing_else():
    noisy = noisy_scene()
    hidden = np.zeros(noisy.shape[:2], dtype=bool)
    hidden[3:12, 4:13] = True
    results = []
    for value in (0.0, 0.9, np.nan):
        other = noisy.copy()
        other[hidden] = value
        results.append(denoise(other, max_steps=2, device="cpu", mask=hidden))
        np.testing.assert_array_equal(results[-1][hidden], value)
    for result in results[1:]:
        np.testing.assert_array_equal(result[~hidden], results[0][~hidden])
    assert not np.array_equal(results[0][~hidden], noisy[~hidden])


def test_masked_arrays_keep_their_mask():
    noisy = np.ma.masked_greater(noisy_scene(), 0.8)
    result = denoise(noisy, max_steps=1, device="cpu")
    np.testing.assert_array_equal(result.mask, noisy.mask)
    hidden = noisy.mask.any(-1)
    np.testing.assert_array_equal(result.data[hidden], noisy.data[hidden])
    with pytest.raises(UserError, match="a mask is for one picture"):
        denoise(torch.rand(1, 1, 8, 8), mask=hidden)


def test_the_noise_that_was_found_is_logged(tmp_path, caplog):
    noisy = noisy_scene(48, 48)
    options = {"recipe": "fast", "max_steps": 2, "device": "cpu"}
    with caplog.at_level(logging.INFO, "torchdenoise"):
        denoise(noisy, **options)
        denoise(write_png(tmp_path / "noisy.png", noisy), **options)
        denoise(np.stack([noisy, noisy]), axes="TYXS", **options)
        denoise(torch.from_numpy(noisy).permute(2, 0, 1)[None], **options)
    lines = [line for line in caplog.messages if line.startswith("noise: white, level ")]
    assert len(lines) == 4  # the frames of a stack share one


def test_nothing_is_printed_unless_logging_is_set_up(tmp_path):
    """Of denoise() and compare(), in a process of its own: what pytest has set up does not count."""
    write_png(tmp_path / "clean.png", scene(24, 24))
    code = """
import logging, sys, numpy as np
from torchdenoise import compare, denoise
noisy = np.random.default_rng(0).random((24, 24, 3))

def work():
    denoise(noisy, "zsn2n", budget=0.01, device="cpu")
    for _ in range(2):
        compare("tv", "clean.png", "gaussian:25", batch=2, output="results")

work()
print("set up", file=sys.stderr)
logging.basicConfig(level="INFO", format="%(name)s: %(message)s")
work()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    before, _, after = done.stderr.partition("set up\n")
    assert (done.stdout, before) == ("", "")
    assert re.search(r"^torchdenoise\.fitting\.\w+: \d+ steps, chosen for a budget of 0\.01 s", after, re.MULTILINE)
    assert "torchdenoise.benchmarking.comparing: tv, one picture at a time: " in after


def test_a_users_own_warnings_still_show():
    class Warns(DenoisingLoss):
        def forward(self, denoise, batch, draws, progress):
            warnings.warn("mine", UserWarning, stacklevel=1)
            return {"mine": denoise(batch["noisy"]).mean()}

    with pytest.warns(UserWarning, match="mine"):
        denoise(noisy_scene(), loss=Warns(), max_steps=1, device="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noisy": [1, 2]}, "cannot denoise a list"),
        ({"noisy": torch.rand(3, 8, 8)}, r"a tensor must be \(B, C, H, W\)"),
        ({"noisy": np.zeros(4)}, "is not one picture"),
        ({"noisy": np.full((8, 8), np.nan)}, "every pixel is NaN, transparent, without data or masked"),
        ({"noisy": "nope.png"}, "nope.png: no such file"),
        ({"recipe": "zs"}, "unknown recipe"),
        ({"losss": None}, "Recorrupted takes no losss"),
        ({"ckpt": "a.ckpt"}, r"takes no ckpt \(did you mean checkpoint\?\)"),
        ({"ckpt_path": "a.ckpt"}, r"takes no ckpt_path \(did you mean checkpoint\?\)"),
        ({"method": "zsn2n"}, r"takes no method \(did you mean recipe\?\)"),
        ({"recipe": "zsn2n", "lr": 0.1}, r"takes no lr: .*; arguments of these are given by overrides="),
        ({"recipe": "zsn2n", "optimizer": torch.optim.SGD}, "optimizer=lambda parameters: SGD\\(parameters, "),
        ({"recipe": "zsn2n", "optimizer": "SGD"}, "optimizer must be a function: optimizer=lambda parameters: "),
        ({"recipe": "zsn2n-finetune"}, r"zsn2n-finetune starts from a trained network: give checkpoint=FILE"),
        (
            {"recipe": "zsn2n", "overrides": "trainer.max_steps=2", "max_steps": 1},
            r"trainer.max_steps=2 and max_steps \(--max-steps\) or a budget: give one of them",
        ),
        ({"recipe": "zsn2n", "overrides": ["trainer.max_steps=2"], "budget": 1.0}, "give one of them"),
        ({"device": "cuda:99"}, "device cuda:99"),
        ({"max_steps": 0}, "must be at least 1"),
        ({"strength": 2}, "strength=2: must lie in 0 to 1"),
        ({"dtype": "int8"}, "dtype=int8: give 'same' or 'float32'"),
        ({"overrides": ["data=ImageFolder"]}, "trained on a data set"),
    ],
)
def test_mistakes_are_user_errors(arguments, message):
    with pytest.raises(UserError, match=message):
        denoise(**{"noisy": noisy_scene(), "device": "cpu", **arguments})


def test_a_checkpoint_gives_the_same_whatever_ran_before(tmp_path):
    path, noisy, data = tmp_path / "x.ckpt", noisy_scene(), SingleImage()
    data.use(torch.rand(1, 3, 8, 8))
    trainer = lightning.Trainer(max_steps=1, **HYGIENE)
    trainer.fit(ZSN2N(SmallCNN(3, width=4), readout=MaskedMean(passes=1, hidden=0.5)), datamodule=data)
    trainer.save_checkpoint(path)
    seen = []
    for before, seed in ((1, None), (2, None), (1, 7)):
        torch.manual_seed(before)
        seen.append(denoise(noisy, checkpoint=path, seed=seed, device="cpu"))
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    with pytest.raises(UserError, match="applied without a fit: leave max_steps and overrides out"):
        denoise(noisy, checkpoint=path, max_steps=5, overrides=["model.network.width=8"])


def test_devices():
    assert accelerator("auto") == {"accelerator": "auto", "devices": 1}
    assert accelerator("cpu") == {"accelerator": "cpu", "devices": 1}


def test_by_hand(tmp_path):
    path = write_png(tmp_path / "x.png", noisy_scene(channels=1))
    model = ZSN2N()
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_steps=3, accelerator="cpu", enable_model_summary=False, **options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        trainer.fit(model, SingleImage(path))
    assert sum(parameter.numel() for parameter in model.parameters()) == 21_313


def test_recipes_build_the_published_method():
    recipe = load_recipe("zsn2n")
    parts = recipe["model"]["init_args"]
    assert (recipe["trainer"]["max_steps"], parts["scheduler"]["init_args"]["step_size"]) == (2000, 1000)
    assert load_recipe("zsn2n-3000")["trainer"]["max_steps"] == 3000
    assert load_recipe("zsn2n-3000")["model"] == recipe["model"]
