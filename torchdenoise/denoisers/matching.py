"""Whether a method and its data fit together, checked before anything is trained."""

from collections.abc import Collection

from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.parts.losses import DenoisingLoss
from torchdenoise.denoisers.parts.readouts import Readout
from torchdenoise.errors import DataError


def match_network(network: Network, name: str, channels: int, fitted: bool) -> Network:
    """Return a network for images with ``channels``; it is rebuilt if its number of channels was left open.

    Args:
        network: of the method.
        name: of the argument that holds it.
        channels: of the images.
        fitted: whether its weights are to be kept.

    Raises:
        DataError: the network was made for another number of channels.
    """
    made_for = getattr(network, "channels", None)
    if made_for is None:
        raise DataError(
            f"{type(network).__name__} does not set self.channels in its constructor: "
            "set it to the number of channels of the images that it takes"
        )
    if made_for == channels:
        if "channels" in network.arguments:
            network.arguments["channels"] = channels  # fixed from now on, and in every checkpoint
        return network
    if fitted or network.arguments.get("channels", made_for) is not None:
        raise DataError(
            f"the pictures have {channels} channel(s), the {name} was made for {made_for}: "
            f"convert the pictures, or set model.{name}.channels={channels} and fit again"
        )
    return network.rebuilt(channels=channels)


def check_crops(model: object, croppable: bool, readout: Readout, crop: int) -> None:
    """Refuse crops if the method needs the whole image, or its readout accumulates outputs for it."""
    if croppable and not readout.needs_outputs:
        return
    culprit = type(readout if croppable else model).__name__
    raise DataError(
        f"{culprit} is fitted to one whole picture, not to crops of {crop}: "
        "use --data SingleImage and leave data.crop out"
    )


def check_keys(loss: DenoisingLoss, keys: Collection[str]) -> None:
    """Refuse batches that lack a key that the loss needs.

    Raises:
        DataError: it names the missing keys.
    """
    missing = [key for key in loss.requires if key not in keys]
    if missing:
        raise DataError(
            f"{type(loss).__name__} needs {' and '.join(missing)} beside the noisy image, and this data module "
            f"gives {', '.join(sorted(keys))}: choose another one, or set its options (--data.target noisy, clean)"
        )
