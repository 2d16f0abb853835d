"""Readouts that accumulate outputs during a fit."""

import pytest
import torch

from torchdenoise import UserError, denoise
from torchdenoise.denoisers import LastMean, RunningMean
from torchdenoise.stored_recipes import build


def outputs(count=7):
    return list(torch.rand(count, 1, 2, 3, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64))


NOISY = torch.linspace(0, 1, 24).double().view(1, 2, 3, 4)


def observed(readout, seen, noisy=NOISY):
    for output in seen:
        readout.observe(lambda image: image, noisy, output)
    return readout


def read(readout, noisy=NOISY):
    return readout(lambda image: image + 1, noisy, torch.Generator())


def slow_mean(seen, keep):
    """The weight of each output, written out: the first one has no 1 - keep."""
    weights = [(1 - keep) * keep ** (len(seen) - 1 - place) for place in range(len(seen))]
    weights[0] = keep ** (len(seen) - 1)
    return sum(weight * output for weight, output in zip(weights, seen, strict=True))


@pytest.mark.parametrize("keep", [0.0, 0.6, 0.99])
def test_the_running_mean_against_its_weights(keep):
    seen = outputs()
    torch.testing.assert_close(read(observed(RunningMean(keep), seen)), slow_mean(seen, keep), rtol=1e-12, atol=0)


def test_without_outputs_it_is_one_pass():
    assert torch.equal(read(RunningMean()), NOISY + 1)


def test_another_picture_is_refused():
    readout = observed(RunningMean(), outputs())
    for other in (NOISY + 0.1, NOISY[..., 1:]):
        with pytest.raises(UserError, match="this is another one: fit it with") as caught:
            read(readout, other)
        assert "\n" not in str(caught.value)


def test_a_new_picture_starts_from_scratch():
    seen = outputs()
    readout = observed(RunningMean(), seen[:3])
    observed(readout, seen[3:], NOISY + 0.1)
    expected = slow_mean(seen[3:], 0.99)
    torch.testing.assert_close(read(readout, NOISY + 0.1), expected, rtol=1e-12, atol=0)


def test_accumulated_outputs_are_part_of_the_state(tmp_path):
    seen = outputs()
    readout = observed(RunningMean(0.7), seen[:4])
    torch.save(readout.state_dict(), tmp_path / "state")
    again = build(readout.recipe())
    again.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert torch.equal(read(again), read(readout))
    assert torch.equal(read(observed(again, seen[4:])), read(observed(readout, seen[4:])))


@pytest.mark.parametrize("keep", [-0.1, 1.0])
def test_bad_weights(keep):
    with pytest.raises(UserError, match="RunningMean: keep"):
        RunningMean(keep)


@pytest.mark.parametrize("readout", [RunningMean(), LastMean()])
def test_a_resumed_fit_accumulates_on_its_own_device(readout):
    """Another precision stands for another device: state is read as it was written."""
    observed(readout, outputs())
    again, seen = build(readout.recipe()), []
    again.load_state_dict(readout.state_dict())
    noisy = NOISY.float()
    for _ in range(2):
        again.observe(lambda image: seen.append(image) or image, noisy, noisy)
    assert {image.dtype for image in [*seen, read(again, noisy)]} == {torch.float32}
    if isinstance(again, LastMean):
        assert len(again.passes) == 9


def test_steps_that_do_not_output_the_whole_picture_have_no_running_mean():
    with pytest.raises(UserError, match="RunningMean: this method's steps do not output the whole picture"):
        denoise(NOISY[:, :1].float(), "noise2fast", max_steps=1, readout=RunningMean(), device="cpu")


# -- the mean of the last passes -------------------------------------------------------------------------------------


def walked(readout, distances, passes=None):
    """Let the network give pictures at these distances from the noisy one."""
    for distance in distances:
        readout.observe(lambda image, distance=distance: image + distance, NOISY, NOISY)
        if passes is not None:
            passes.append(readout.finished)
    return readout


def slow_end(distances, patience):
    """Return the step at which the fit ends, by the rule written out; None if it does not."""
    for step in range(len(distances)):
        best = min(range(step + 1), key=lambda place: distances[place])  # the first of equal ones
        if step - best > patience:
            return step
    return None


@pytest.mark.parametrize("patience", [0, 1, 3, 5])
@pytest.mark.parametrize(
    "distances", [[5, 4, 3, 2, 1, 2, 3, 4, 5, 6], [3, 3, 3, 3, 3, 3], [5, 6, 4, 5, 5, 3, 9, 9, 9, 9], [4, 3, 2, 1]]
)
def test_the_fit_ends_when_patience_is_exceeded(distances, patience):
    finished = []
    walked(LastMean(patience=patience), distances, finished)
    expected = slow_end(distances, patience)
    assert (finished.index(True) if any(finished) else None) == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 4.0), (2, 3.0), (3, 3.0), (9, 2.5)])
def test_the_mean_of_the_last_passes_and_no_others(count, expected):
    result = read(walked(LastMean(count), [1, 3, 2, 4]))
    torch.testing.assert_close(result, NOISY + expected)


def test_each_channel_ends_by_itself_and_keeps_its_mean():
    noisy = torch.zeros(1, 2, 3, 3)
    walks = ([3, 1, 2, 2, 9, 9], [6, 5, 4, 3, 4, 5])  # with patience 1 they end at the fourth and the sixth step
    readout, finished = LastMean(count=2, patience=1), []
    for pair in zip(*walks, strict=True):
        passed = torch.tensor(pair, dtype=torch.float32).view(1, 2, 1, 1).expand_as(noisy)
        readout.observe(lambda image, passed=passed: passed, noisy, noisy)
        finished.append(readout.finished)
    assert finished == [False] * 5 + [True]
    again = build(readout.recipe())
    again.load_state_dict(readout.state_dict())
    for each in (readout, again):
        assert read(each, noisy)[0, :, 0, 0].tolist() == [2.0, 4.5]
    readout.resume([1])
    assert not readout.finished
    for distance in (8, 7):
        readout.observe(lambda image, distance=distance: image + distance, noisy, noisy)
    assert read(readout, noisy)[0, :, 0, 0].tolist() == [2.0, 7.5]


def test_a_new_picture_ends_nothing():
    readout = walked(LastMean(patience=1), [1, 2, 2, 2])
    assert readout.finished
    again = build(readout.recipe())
    again.load_state_dict(readout.state_dict())
    assert again.finished
    readout.observe(lambda image: image + 7, NOISY + 0.1, NOISY)
    assert not readout.finished
    torch.testing.assert_close(read(readout, NOISY + 0.1), NOISY + 7.1)


def test_passes_and_patience_are_part_of_the_state(tmp_path):
    readout = walked(LastMean(3, 2), [4, 3, 3.5])
    torch.save(readout.state_dict(), tmp_path / "state")
    again = build(readout.recipe())
    again.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert torch.equal(read(again), read(readout))
    flags = []
    walked(again, [3.2, 3.1], flags)
    assert flags == [False, True]
    assert torch.equal(read(again), read(walked(readout, [3.2, 3.1])))


@pytest.mark.parametrize("arguments", [{"count": 0}, {"patience": -1}])
def test_bad_counts(arguments):
    with pytest.raises(UserError, match=r"LastMean: count \d+ must be at least 1 and patience"):
        LastMean(**arguments)
