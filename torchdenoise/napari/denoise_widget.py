"""The dock widget that denoises a layer."""

from typing import Any

import torch
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
)
from napari import Viewer
from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from torchdenoise.errors import UserError
from torchdenoise.fitting import DEFAULT_RECIPE
from torchdenoise.inspection import single_picture_recipes
from torchdenoise.napari.job import Job, Settings
from torchdenoise.napari.layers import appearance, axes_of, channels_choice, check_image, layer_choice, planes_of

LOOK = 250
"""Milliseconds between two looks at the work."""
WHOLE = 1000
"""Of the progress bar."""


class DenoiseWidget(Container):
    """Denoises a layer in the background; the result is a new layer, which shows previews while the fit runs.

    Args:
        viewer: whose layers are denoised.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.layer = layer_choice(viewer)
        others = [name for name in single_picture_recipes() if name != DEFAULT_RECIPE]
        self.recipe = ComboBox(label="recipe", choices=[DEFAULT_RECIPE, *others])
        self.strength = FloatSlider(label="strength", value=1.0, max=1.0, step=0.05)
        self.axes = LineEdit(label="axes", tooltip="T time, Z depth, C channel, Y row, X column, S samples (RGB)")
        self.channels = channels_choice()
        self.shared = CheckBox(text="one network for all frames", tooltip="faster for stacks")
        self.as_float = CheckBox(text="float32", tooltip="a result that is not rounded to whole numbers")
        self.device = ComboBox(label="device", choices=_devices())
        self.start = PushButton(text="Run")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self.bar = ProgressBar(value=0, max=WHOLE)
        self.status = Label(value="")
        buttons = Container(widgets=[self.start, self.cancel], layout="horizontal", labels=False)
        options = [self.layer, self.recipe, self.strength, self.axes, self.channels, self.shared, self.as_float]
        super().__init__(widgets=[*options, self.device, buttons, self.bar, self.status])
        self.status.native.setWordWrap(True)
        self._viewer = viewer
        self._job: Job | None = None
        self._worker: Any = None
        self._source: Any = None
        self._result: Any = None
        self._timer = QTimer(self.native)
        self._timer.timeout.connect(self._look)
        self.native.destroyed.connect(self._quit)
        self.layer.changed.connect(self._choose)
        self.start.changed.connect(self._start)
        self.cancel.changed.connect(self._quit)
        self._choose()

    @property
    def running(self) -> bool:
        """Whether a layer is being denoised."""
        return self._job is not None

    def _choose(self) -> None:
        """Show the axes of the chosen layer, or that it is none that can be denoised."""
        if self.running:
            return
        try:
            check_image(self.layer.value)
        except UserError as error:
            self.axes.value, self.status.value = "", str(error)
        else:
            self.axes.value, self.status.value = axes_of(self.layer.value), ""

    def _start(self) -> None:
        """Begin the work."""
        layer = self.layer.value
        settings = Settings(
            self.recipe.value,
            self.strength.value,
            self.device.value,
            self.channels.value,
            self.shared.value,
            self.as_float.value,
        )
        try:
            job = Job(planes_of(layer, self.axes.value), settings)
        except UserError as error:
            self.status.value = str(error)
            return
        self._job, self._source, self._result = job, layer, None
        self.start.enabled, self.cancel.enabled = False, True
        self._worker = create_worker(job.run)
        job.should_stop = lambda: bool(self._worker.abort_requested)  # napari asks for it, too, when it is closed
        self._worker.start()
        self._timer.start(LOOK)
        self._look()

    def _quit(self) -> None:
        """Ask the work to stop, which it does after the step."""
        if self._worker is not None:
            self._worker.quit()

    def _look(self) -> None:
        """Show how far the work is."""
        job = self._job
        assert job is not None
        over = job.over  # before the rest, so that nothing is missed
        self.bar.value = round(WHOLE * job.fraction)
        self.status.value = "\n".join([job.line, *job.remarks])
        if job.changed:
            job.changed = False
            self._show(job.result)
        if over:
            self._end(job)

    def _show(self, result: Any) -> None:
        """Show the result, or a preview of it, in a layer of its own, and hide the noisy one."""
        if self._result is not None:
            self._result.refresh()
            return
        self._result = self._viewer.add_image(result, **appearance(self._source))
        self._source.visible = False

    def _end(self, job: Job) -> None:
        """Leave the result, or an error and nothing else."""
        self._timer.stop()
        self.start.enabled, self.cancel.enabled = True, False
        if job.error:
            self.bar.value, self.status.value = 0, job.error
            if self._result is not None:
                self._source.visible = True
                if self._result in self._viewer.layers:
                    self._viewer.layers.remove(self._result)
        else:
            self.status.value = "\n".join(["done", *job.remarks])
        self._job = self._worker = self._source = self._result = None


def _devices() -> list[str]:
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ["auto", "cpu", *(name for name, present in found.items() if present)]
