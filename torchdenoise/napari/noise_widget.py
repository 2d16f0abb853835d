"""The dock widget that says what the noise of a layer is."""

from typing import Any

from magicgui.widgets import Container, PushButton, TextEdit
from napari import Viewer
from napari.qt.threading import create_worker

from torchdenoise.errors import UserError
from torchdenoise.napari.layers import axes_of, channels_choice, check_image, layer_choice, planes_of
from torchdenoise.napari.noise_text import noise_text


class NoiseWidget(Container):
    """Says what ``torchdenoise inspect`` says of a picture.

    Args:
        viewer: whose layers are measured.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.layer = layer_choice(viewer)
        self.channels = channels_choice()
        self.start = PushButton(text="Measure")
        self.text = TextEdit(value="")
        choices = Container(widgets=[self.layer, self.channels])
        super().__init__(widgets=[choices, self.start, self.text], labels=False)
        self.text.native.setReadOnly(True)
        self._worker: Any = None
        self.start.changed.connect(self._start)
        self.native.destroyed.connect(self._quit)

    def _start(self) -> None:
        """Measure in the background."""
        layer = self.layer.value
        try:
            check_image(layer)
            planes = planes_of(layer, axes_of(layer))
        except UserError as error:
            self.text.value = str(error)
            return
        self.start.enabled, self.text.value = False, "measuring"
        self._worker = create_worker(noise_text, planes, self.channels.value, _connect={"returned": self._show})

    def _show(self, text: str) -> None:
        self.start.enabled, self.text.value = True, text

    def _quit(self) -> None:
        if self._worker is not None:
            self._worker.quit()  # so that nothing is shown
