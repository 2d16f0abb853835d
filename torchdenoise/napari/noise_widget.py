"""The dock widget that says what the noise of a layer is."""

from typing import Any

from magicgui.widgets import Container, PushButton, TextEdit
from napari import Viewer
from napari.qt.threading import create_worker

from torchdenoise.data import Planes
from torchdenoise.errors import UserError
from torchdenoise.fitting.frames import frame_groups
from torchdenoise.inspection import in_words, inspect_noise, sampled, suitable_recipes
from torchdenoise.isolation import memory_errors
from torchdenoise.napari.layers import axes_of, check_image, layer_choice, planes_of


class NoiseWidget(Container):
    """Says what ``torchdenoise inspect`` says of a picture.

    Args:
        viewer: whose layers are measured.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.layer = layer_choice(viewer)
        self.start = PushButton(text="Measure")
        self.text = TextEdit(value="")
        super().__init__(widgets=[self.layer, self.start, self.text], labels=False)
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
        self._worker = create_worker(noise_text, planes, _connect={"returned": self._show})

    def _show(self, text: str) -> None:
        self.start.enabled, self.text.value = True, text

    def _quit(self) -> None:
        if self._worker is not None:
            self._worker.quit()  # so that nothing is shown


def noise_text(planes: Planes) -> str:
    """Return what is found about the noise of planes, or why nothing can be."""
    try:
        with memory_errors():
            groups = frame_groups(planes)
            found = [(group.name, inspect_noise(*sampled(group))) for group in groups]
    except UserError as error:
        return str(error)
    lines = [groups.remark] if groups.remark else []
    for channel, inspection in found:
        rows = in_words(inspection, suitable_recipes(inspection))
        lines.append(": ".join(filter(None, [channel, inspection.line])))
        lines += [f"{name}: {text}" for name, text in rows]
    return "\n".join(lines)
