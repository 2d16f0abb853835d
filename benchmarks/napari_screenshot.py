"""The picture of docs/napari.md: napari with the widget Denoise after a run; writes docs/napari.png.

    python benchmarks/napari_screenshot.py                                              seconds; opens a window
    xvfb-run -a -s "-screen 0 1400x1000x24" python benchmarks/napari_screenshot.py      without a display

The picture is scikit-image's, in the public domain; noise gaussian:20, seed 0. It needs napari 0.9 or later.
"""

import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import skimage.data
from PIL import Image
from qtpy.QtWidgets import QApplication

SHEET = Path(__file__).parent.parent / "docs" / "napari.png"
SIZE = (1180, 640)
LEVEL = 20
COLOURS = 192
"""Of the file; more are not seen, but make it larger."""


def main() -> None:
    """Denoise a picture in the viewer as a user does, and write the screenshot."""
    clean = skimage.data.cell()[215:535, 230:550]
    noise = np.random.default_rng(0).normal(0, LEVEL, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    source = viewer.add_image(noisy, name="cell", scale=(0.107, 0.107), units=("um", "um"))
    _, form = viewer.window.add_plugin_dock_widget("torchdenoise", "Denoise")
    form.start.native.click()
    wait(lambda: not form.running)
    source.visible = True
    viewer.canvas.grid.enabled = True
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.reset_view()
    for _ in range(20):  # until everything is drawn
        QApplication.processEvents()
    shot = Image.fromarray(viewer.window.screenshot(flash=False, canvas_only=False)).convert("RGB")
    shot.quantize(COLOURS).save(SHEET, optimize=True)
    print(f"wrote {SHEET}, {SHEET.stat().st_size // 1000} kB: {form.status.value}")
    viewer.close()


def wait(done: Callable[[], bool]) -> None:
    """Let the viewer work until something is done."""
    while not done():
        QApplication.processEvents()
        time.sleep(0.02)


if __name__ == "__main__":
    main()
