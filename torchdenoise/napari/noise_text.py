"""What the widget Noise says."""

from torchdenoise.data import Planes
from torchdenoise.errors import UserError
from torchdenoise.fitting.frames import frame_groups
from torchdenoise.inspection import inspect_frames
from torchdenoise.isolation import memory_errors


def noise_text(planes: Planes, channels: str = "auto") -> str:
    """Return what is found about the noise of planes, or why nothing can be.

    Args:
        planes: of a stack or of one picture.
        channels: as in ``denoise``.
    """
    try:
        with memory_errors():
            groups = frame_groups(planes, channels)
            found = [(group.name, inspect_frames(group)) for group in groups]
    except UserError as error:
        return str(error)
    lines = [groups.remark] if groups.remark else []
    for channel, findings in found:
        lines.append(": ".join(filter(None, [channel, findings.inspection.line])))
        lines += [f"{name}: {text}" for name, text in findings.in_words()]
    return "\n".join(lines)
