"""What a layer of napari means here: planes with axes; and how its result looks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from torchdenoise.data import ArrayPlanes, Axes, Planes
from torchdenoise.data.axes import letters_of
from torchdenoise.errors import UserError
from torchdenoise.fitting.denoising import CHANNELS


class LayerPlanes(ArrayPlanes):
    """The planes of a layer's array, which may be one of Dask or Zarr: each is computed when it is asked for."""

    @override
    def read(self, number: int) -> NDArray[Any]:
        """Return a plane."""
        return np.asarray(super().read(number))


def layer_choice(viewer: Any) -> Any:
    """Return a widget that chooses one of the viewer's layers, the selected one at first."""
    from magicgui.widgets import ComboBox

    choice = ComboBox(label="layer", choices=lambda _: list(viewer.layers))
    if viewer.layers.selection.active is not None:
        choice.value = viewer.layers.selection.active
    return choice


def channels_choice() -> Any:
    """Return a widget that chooses how channels are denoised."""
    from magicgui.widgets import ComboBox

    return ComboBox(label="channels", choices=CHANNELS, tooltip="the axis C as one picture, or each alone")


def check_image(layer: Any) -> None:
    """Raise UserError unless a layer is an image."""
    from napari.layers import Image

    if layer is None:
        raise UserError("there is no layer: open a picture first")
    if not isinstance(layer, Image):
        raise UserError(f"{layer.name} is a layer of {type(layer).__name__.lower()}: choose an image")


def axes_of(layer: Any) -> str:
    """Return a letter for each axis of an image layer: from its axis labels if they name rows and columns.

    Without labels, what comes before rows and columns is taken for time and depth.
    """
    samples = "S" if layer.rgb else ""
    letters = letters_of(layer.axis_labels)
    if {"Y", "X"} <= set(letters) and "S" not in letters:
        return letters + samples
    outer = layer.ndim - 2
    return letters_of([*["T", "Z", *[""] * outer][:outer], "Y", "X"]) + samples


def planes_of(layer: Any, axes: str) -> Planes:
    """Return the planes of an image layer, at full resolution.

    Raises:
        UserError: not an image, or the letters do not fit it.
    """
    check_image(layer)
    array = layer.data[0] if layer.multiscale else layer.data
    return LayerPlanes(array, Axes.of(array.shape, axes.strip()))


def appearance(layer: Any) -> dict[str, Any]:
    """Return the arguments of ``add_image`` for the result of an image layer: it lies and looks as the layer does."""
    _, state, _ = layer.as_layer_data_tuple()
    own = {"name": f"{layer.name} denoised", "multiscale": False, "visible": True, "metadata": {}}
    return {**state, **own}
