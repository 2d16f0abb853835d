"""Channels that are frames in truth: alike, but shifted against each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 256
"""Of the part in the middle that is compared, in pixels."""
MIN_SIDE = 48
"""Smaller pictures show too little."""
MIN_SHIFT = 2
"""In pixels; the optics of a microscope shift colours by less."""
MIN_PEAK = 0.4
"""Of the phase correlation, 0 to 1, from which on two channels count as alike."""
MIN_DEVIATIONS = 9
"""The same in standard deviations of the phase correlation of noise."""
MIN_RATIO = 2
"""Of the peak to the phase correlation without a shift."""
HIGHEST = 0.15
"""Highest frequency that counts, in cycles per pixel; noise is mostly above."""
MAX_CHANNELS = 8
"""The first channels, which are compared with the first one."""


def shifted_channels(frame: NDArray[Any]) -> str:
    """Return a sentence if channels of a frame ``(H, W, C)`` are alike but shifted, else an empty string.

    Source: Kuglin and Hines, The phase correlation image alignment method, 1975.

    Example:
        >>> texture = np.random.default_rng(0).random((16, 16)).repeat(8, 0).repeat(8, 1)
        >>> shifted_channels(np.dstack([texture, np.roll(texture, (5, -3), (0, 1))]))
        'channels 1 and 2 show the same, shifted by 5 rows and -3 columns: they may be frames'
        >>> shifted_channels(np.dstack([texture, 2 * texture]))
        ''
    """
    top, left = (max(0, (size - SIDE) // 2) for size in frame.shape[:2])
    part = frame[top : top + SIDE, left : left + SIDE, :MAX_CHANNELS].astype(float)
    if min(part.shape[:2]) < MIN_SIDE:
        return ""
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in part.shape[:2]))
    low = np.add.outer(*(np.fft.fftfreq(size) ** 2 for size in part.shape[:2])) < HIGHEST**2
    low[0, 0] = False
    phases = [_phases(part[..., channel], window) * low for channel in range(part.shape[2])]
    least = max(MIN_PEAK, MIN_DEVIATIONS / np.sqrt(low.sum()))
    for number, other in enumerate(phases[1:], 2):
        correlation = np.fft.ifft2(other * phases[0].conj()).real * low.size / low.sum()
        best = np.unravel_index(correlation.argmax(), correlation.shape)
        peak = correlation[best]
        shift = [int(np.fft.fftfreq(size, 1 / size)[at]) for at, size in zip(best, correlation.shape, strict=True)]
        if max(map(abs, shift)) >= MIN_SHIFT and peak > max(least, MIN_RATIO * correlation[0, 0]):
            return (
                f"channels 1 and {number} show the same, shifted by {shift[0]} rows and {shift[1]} columns: "
                "they may be frames"
            )
    return ""


def _phases(plane: NDArray[Any], window: NDArray[Any]) -> NDArray[Any]:
    """Return the spectrum of a plane with all amplitudes 1, or 0 where there is none."""
    spectrum = np.fft.fft2((plane - np.average(plane, weights=window)) * window)
    size = np.abs(spectrum)
    phases: NDArray[Any] = np.where(size > 1e-9 * size.max(), spectrum / np.maximum(size, 1e-300), 0)
    return phases
