"""Where in its fit a checkpoint was saved, in the form from which Lightning resumes right."""

from collections.abc import Mapping, MutableMapping
from typing import Any

_COUNTS = ("ready", "started", "processed", "completed")
"""The names of what loops count."""


def begin_next_epoch(loops: MutableMapping[str, Any]) -> None:
    """Change the state of the loops in a checkpoint of an epoch's end to that of the next one's beginning.

    Checkpoints are saved before Lightning counts the epoch as completed. A fit that has a number of steps and one of
    epochs then takes the finished epoch for an unfinished one, and ends an epoch early (Lightning 2.6).

    Args:
        loops: of a fit's checkpoint; others stay unchanged.

    Example:
        >>> progress = {"ready": 2, "started": 2, "processed": 2, "completed": 1}
        >>> batches = {"ready": 9, "started": 9, "processed": 9, "completed": 9}
        >>> loops = {"fit_loop": {
        ...     "epoch_progress": {"total": progress, "current": dict(progress)},
        ...     "epoch_loop.batch_progress": {"total": batches, "current": dict(batches), "is_last_batch": True}}}
        >>> begin_next_epoch(loops)
        >>> progress["completed"], loops["fit_loop"]["epoch_loop.batch_progress"]["current"]["ready"]
        (2, 0)
    """
    fit = loops.get("fit_loop", {})
    epochs, batches = fit.get("epoch_progress"), fit.get("epoch_loop.batch_progress")
    if not epochs or not batches or not _epoch_is_processed(epochs["current"]) or not batches["is_last_batch"]:
        return
    for counts in epochs.values():
        counts["completed"] = counts["processed"]
    batches["is_last_batch"] = False
    for name in batches["current"]:
        batches["current"][name] = 0


def check_counts(loops: Mapping[str, Any]) -> None:
    """Check that the loops of a checkpoint count by whole numbers: Lightning would stumble over others in the fit.

    Raises:
        TypeError: it names the first count that is none.

    Example:
        >>> check_counts({"fit_loop": {"epoch_progress": {"total": {"ready": "x"}}}})
        Traceback (most recent call last):
        ...
        TypeError: ready is 'x'
    """
    for name, value in loops.items():
        if isinstance(value, Mapping):
            check_counts(value)
        elif name in _COUNTS and (type(value) is not int or value < 0):
            raise TypeError(f"{name} is {value!r}")


def _epoch_is_processed(epoch: Mapping[str, int]) -> bool:
    return 0 < epoch["processed"] == epoch["started"] == epoch["ready"] == epoch["completed"] + 1
