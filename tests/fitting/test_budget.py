"""Steps chosen for a time budget, with a simulated clock."""

import pytest
import torch
from helpers import clipped_noise

from torchdenoise import UserError, denoise
from torchdenoise.errors import AssumptionWarning
from torchdenoise.fitting import budget
from torchdenoise.fitting.budget import Budget


class Clock:
    """A simulated clock, and a fit that takes ``step`` seconds per step and ``rest`` seconds besides."""

    def __init__(self, monkeypatch, step, rest):
        self.now, self.step, self.rest = 0.0, step, rest
        self.fits = []
        monkeypatch.setattr(budget.time, "perf_counter", lambda: self.now)

    def fit(self, image, steps, progress):
        self.fits.append((tuple(image.shape), steps))
        for number in range(steps):
            self.now += self.step * (10 if number < 2 else 1)  # the first ones are slow
            if progress is not None:
                progress(number + 1, steps)
        self.now += self.rest
        return image


def test_the_steps_fill_the_time(monkeypatch):
    clock, messages = Clock(monkeypatch, step=0.01, rest=0.5), []
    chosen = Budget(2.0, clock.fit, messages.append)
    image = torch.zeros(1, 3, 100, 90)
    assert chosen.fit(image) is image
    steps = clock.fits[-1][1]
    assert steps == pytest.approx(132, abs=1)  # the slow ones count as rest
    assert messages == [f"{steps} steps, chosen for a budget of 2 s on this machine"]
    assert clock.fits == [((1, 3, 64, 64), 1), ((1, 3, 100, 90), 12), ((1, 3, 100, 90), steps)]


def test_each_size_gets_one_trial(monkeypatch):
    clock = Clock(monkeypatch, step=0.01, rest=0.0)
    chosen = Budget(1.0, clock.fit)
    for size in (80, 80, 90):
        chosen.fit(torch.zeros(1, 1, size, size))
    assert [size[-1] for size, _ in clock.fits] == [64, 80, 80, 80, 64, 90, 90]


def test_a_step_is_taken_even_if_there_is_no_time(monkeypatch):
    clock = Clock(monkeypatch, step=1.0, rest=5.0)
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
