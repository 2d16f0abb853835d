"""Steps chosen for a time budget, with a simulated clock."""

from types import SimpleNamespace

import pytest
import torch
from helpers import clipped_noise

from tests.noise.correlated import smoothed
from torchdenoise import UserError, denoise
from torchdenoise.denoisers.stages import Plan
from torchdenoise.errors import AssumptionWarning
from torchdenoise.fitting import budget
from torchdenoise.fitting.budget import Budget, StepTimer


class Clock:
    """A simulated clock, and a fit in stages of equal length.

    Args:
        steps: seconds of a step in each stage; the first two of all are ten times slower.
        once: seconds when a stage after the first one begins.
        rest: seconds of everything else.
    """

    def __init__(self, monkeypatch, steps, once=0.0, rest=0.0):
        self.now, self.steps, self.once, self.rest = 0.0, steps, once, rest
        self.fits, self.took = [], []
        monkeypatch.setattr(budget.time, "perf_counter", lambda: self.now)

    def fit(self, image, steps, progress, callbacks=(), neighbours=()):
        begin, stages = self.now, len(self.steps)
        self.fits.append((tuple(image.shape), steps))
        plan = Plan(tuple(round(steps * stage / stages) for stage in range(stages + 1)))
        trainer, model = SimpleNamespace(global_step=0), SimpleNamespace(plan=plan)
        for callback in callbacks:
            callback.on_train_start(trainer, model)
        for number in range(steps):
            stage = plan.index(number)
            self.now += self.steps[stage] * (10 if number < 2 else 1)
            self.now += self.once * (stage > 0 and number == plan.bounds[stage])
            for global_step in (number, number + 1):  # two batches for each step
                trainer.global_step = global_step
                for callback in callbacks:
                    callback.on_train_batch_end(trainer, model, None, {}, 0)
        self.now += self.rest
        self.took.append(self.now - begin)
        return image


def test_the_steps_fill_the_time(monkeypatch):
    clock, messages = Clock(monkeypatch, [0.01], rest=0.5), []
    chosen = Budget(2.0, clock.fit, messages.append)
    image = torch.zeros(1, 3, 100, 90)
    assert chosen.fit(image) is image
    steps = clock.fits[-1][1]
    assert steps == pytest.approx(132, abs=1)  # the slow ones count as rest
    assert messages == [f"{steps} steps, chosen for a budget of 2 s on this machine"]
    assert clock.fits == [((1, 3, 64, 64), 1), ((1, 3, 100, 90), 12), ((1, 3, 100, 90), steps)]


@pytest.mark.parametrize("steps", [[0.01, 0.01, 0.01], [0.01, 0.04], [0.05, 0.01, 0.02, 0.01]])
@pytest.mark.parametrize("once", [0.0, 0.5])
def test_what_happens_once_in_a_stage_is_not_part_of_a_step(monkeypatch, steps, once):
    clock = Clock(monkeypatch, steps, once, rest=0.7)
    Budget(6.0, clock.fit).fit(torch.zeros(1, 3, 100, 90))
    assert clock.took[-1] == pytest.approx(6, rel=0.03)


def test_stages_of_one_step_each(monkeypatch):
    clock = Clock(monkeypatch, [0.1] * 12)
    assert 1 <= Budget(6.0, clock.fit).steps(torch.zeros(1, 3, 100, 90)) <= 60


def test_a_fit_in_scales_is_timed_by_stage(monkeypatch):
    """Each look at the clock is a second later."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(budget.time, "perf_counter", lambda: float(next(ticks)))
    timers = []
    monkeypatch.setattr(budget, "StepTimer", lambda: timers.append(StepTimer()) or timers[-1])
    noisy = 0.5 + 0.1 * smoothed(96, 96)
    overrides = ["model.readout=OnePass", "model.network.width=4"]
    denoise(noisy, overrides=overrides, budget=1.0, device="cpu", data_range=1.0)
    assert [len(ends) for ends in timers[0]._ends.values()] == [6, 6]
    assert timers[0].step() == 1


def test_each_size_gets_one_trial(monkeypatch):
    clock = Clock(monkeypatch, [0.01])
    chosen = Budget(1.0, clock.fit)
    for size in (80, 80, 90):
        chosen.fit(torch.zeros(1, 1, size, size))
    assert [size[-1] for size, _ in clock.fits] == [64, 80, 80, 80, 64, 90, 90]


def test_a_step_is_taken_even_if_there_is_no_time(monkeypatch):
    clock = Clock(monkeypatch, [1.0], rest=5.0)
    assert Budget(0.1, clock.fit).steps(torch.zeros(1, 1, 80, 80)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 1.0, "max_steps": 3}, "give budget or max_steps, not both"),
        ({"budget": 0.0}, r"budget=0\.0: must be above 0 seconds"),
        ({"budget": 1.0, "recipe": "tv"}, "a budget chooses the number of steps, and this recipe has none"),
        ({"batch": 0}, "batch=0: must be at least 1"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        denoise(torch.rand(1, 1, 8, 8), **arguments)


def test_an_assumption_warning_is_given_once():
    noisy = torch.from_numpy(clipped_noise()).float().permute(2, 0, 1)[None]
    with pytest.warns(AssumptionWarning) as caught:
        denoise(noisy, budget=0.2, device="cpu", data_range=1.0)
    assert len(caught) == 1
