"""Which of the logged values tell how well a fit goes."""

from torchdenoise.metrics import all_metrics


def tells_progress(name: str) -> bool:
    """Return whether a value is of the validation, and no metric of which neither high nor low is better.

    Example:
        >>> [name for name in ("loss", "val_loss", "val_psnr", "val_removed") if tells_progress(name)]
        ['val_loss', 'val_psnr']
    """
    neutral = {f"val_{metric}" for metric, each in all_metrics().items() if each.higher_is_better is None}
    return name.startswith("val_") and name not in neutral
