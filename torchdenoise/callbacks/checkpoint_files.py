"""How the checkpoints of a fit get onto the disk."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH
from typing_extensions import override

from torchdenoise.partial_files import completed


class WholeCheckpoints(TorchCheckpointIO):
    """Writes each checkpoint beside its place, and then puts it there in one step.

    Lightning writes it in the folder of temporary files. If that is on another disk, a kill while it is moved leaves
    half a checkpoint where the last good one was.

    Raises:
        OSError: the disk is full, or the folder cannot be written to; an earlier checkpoint there is still whole.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "runs", "last.ckpt")
        >>> WholeCheckpoints().save_checkpoint({"step": 3}, path)
        >>> torch.load(path)
        {'step': 3}
    """

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write a checkpoint; where the path is that of a store in a network, as Lightning does."""
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        place = Path(path)
        content = io.BytesIO()  # torch.save itself turns the errors of a disk into others
        torch.save(checkpoint, content)
        with completed(place) as partial:
            partial.write_bytes(content.getbuffer())
