"""Trained networks as files for other programs: ONNX, PyTorch's own exported programs, packages of bioimage.io."""

import contextlib
import copy
import logging
import math
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.fx.experimental._config as shapes
from torch import Generator, Tensor, nn
from torch.export import Dim, ExportedProgram
from typing_extensions import override

from torchdenoise.denoisers.base import Denoiser
from torchdenoise.denoisers.bioimage import write_package
from torchdenoise.denoisers.networks import Network
from torchdenoise.denoisers.networks.calling import PaddedNetwork
from torchdenoise.denoisers.parts.domains import IdentityDomain
from torchdenoise.denoisers.parts.readouts import EightTurns, OnePass, Readout
from torchdenoise.errors import CheckpointError, UserError
from torchdenoise.extras import EXPORTED, bioimage_checks, onnx_runtime
from torchdenoise.partial_files import completed

OPSET = 18
"""Version of ONNX's operators; ONNX Runtime knows it since 1.14."""
SIZES = ((1, 64, 64), (2, 37, 53), (1, 5, 7), (3, 2, 129), (1, 201, 100))
"""Images, height and width of the batches that a new file is checked on."""
TOLERANCE = 1e-4
"""Of the largest difference from torch, relative to the largest value if that is above 1."""

Run = Callable[[Tensor], Tensor]
"""From noisy images to clean ones, ``(B, C, H, W)`` both."""


@dataclass(frozen=True)
class Exported:
    """What an exported file holds, and how it was checked."""

    content: str
    """What of the method the file holds."""
    form: str
    """The kind of file, with its version."""
    checker: str
    """The program that computed the results of the file."""
    difference: float
    """The largest one between these results and torch's, over images in 0..1 of ``SIZES``."""


def export(
    source: Denoiser | str | Path, path: str | Path, form: str | None = None, network_only: bool = False
) -> Exported:
    """Write a trained network as a file for images ``(B, C, H, W)`` of any size from 2x2 on, and check its results.

    The file appears only if they agree with torch's. It holds the padding to the sizes that the network takes, and the
    flips and turns of the readout ``EightTurns``.

    Args:
        source: a denoiser, the path of a checkpoint or a safetensors file, or the name of weights that come with the
            package.
        path: of the new file; one that exists is replaced.
        form: ``onnx``, ``pt2`` for ``torch.export.load``, or ``bioimage`` for a package of bioimage.io, which their own
            program checks, too; by the file's suffix unless given.
        network_only: leave out what else the method does with a picture, instead of refusing it.

    Raises:
        CheckpointError: no such weights, or damaged ones.
        UserError: the method does more than such a file can hold, has no network, or the file does not give the
            results of torch; the form is unknown; or the extra is missing.
        OSError: the place cannot be written to.

    Example:
        >>> from tempfile import mkdtemp
        >>> from torchdenoise.denoisers import UnshuffleCNN
        >>> path = Path(mkdtemp(), "small.pt2")
        >>> export(ZSN2N(UnshuffleCNN(1, width=4, depth=2)), path).difference < 1e-6
        True
        >>> torch.export.load(path).module()(torch.rand(1, 1, 33, 47)).shape
        torch.Size([1, 1, 33, 47])
    """
    suffix = Path(path).suffix.lower()
    form = form or EXPORTED.get(suffix, suffix)
    if form not in _FORMS:
        raise UserError(f"{path}: unknown format {form!r}; choose {', '.join(_FORMS)}")
    kind = _FORMS[form]
    denoiser = source if isinstance(source, Denoiser) else Denoiser.load(source)
    name = type(source).__name__ if isinstance(source, Denoiser) else str(source)
    network = _network(denoiser, name)
    parts = _beside_network(denoiser)
    if parts and not network_only:
        raise UserError(
            f"{name}: a file holds a network, not {', '.join(parts)}: add --network-only to export the network alone"
        )
    readout = OnePass() if network_only else denoiser.active_readout()
    graph = _AnySize(network, readout).eval()
    content = _described(network, readout) + (f"; left out: {', '.join(parts)}" if parts else "")
    with completed(Path(path)) as partial:
        with _refused(f"{type(network).__name__} cannot be written as {kind.name}"), _quiet():
            kind.write(_program(graph, network.channels), partial, {"torchdenoise": content})
        with _refused(f"{kind.checker()} cannot run the file"), _quiet():
            difference, values = _difference(kind.opened(partial), PaddedNetwork(network), readout, network.channels)
        if not math.isfinite(values):
            raise CheckpointError(f"{name}: its network gives values that are not finite: train it again")
        if not difference <= TOLERANCE * max(1.0, values):  # NaN, too
            raise UserError(
                f"{name}: the results of the file differ from torch's by {difference:.2g}, so it was not kept: "
                f"try --format {next(other for other in _FORMS if other != form)}"
            )
    return Exported(content, kind.name, kind.checker(), difference)


class _AnySize(nn.Module):
    """The result as a graph without decisions: padding is a choice of rows and columns by number."""

    def __init__(self, network: Network, readout: Readout) -> None:
        super().__init__()
        self.network = network
        self.readout = readout

    @override
    def forward(self, noisy: Tensor) -> Tensor:
        """Return the denoised ``(B, C, H, W)`` images, not clamped."""
        result: Tensor = self.readout(self.padded, noisy, Generator())
        return result

    def padded(self, image: Tensor) -> Tensor:
        """Return the network's output, as ``padded_call`` does."""
        height, width = image.shape[-2:]
        rows, columns = (self.reflected(size, image.device) for size in (height, width))
        result: Tensor = self.network(image.index_select(-2, rows).index_select(-1, columns))
        return result[..., :height, :width]

    def reflected(self, size: int, device: torch.device) -> Tensor:
        """Return which row or column stands at each place of the padded image."""
        multiple = self.network.multiple
        # Not -(-size // multiple): ONNX divides negative numbers the other way.
        larger: int = torch.sym_max(size, self.network.minimum)  # type: ignore[no-untyped-call]
        length = (larger + multiple - 1) // multiple * multiple
        last = torch.full((), size - 1, device=device)
        period = (2 * last).clamp(min=1)
        place = torch.arange(length, device=device) % period
        return torch.where(place <= last, place, period - place)


def _network(denoiser: Denoiser, name: str) -> Network:
    """Return a copy of the network that the result is read from."""
    try:
        return copy.deepcopy(denoiser.result_network).cpu().eval().requires_grad_(requires_grad=False)
    except IndexError:  # no stage
        raise UserError(f"{name}: {type(denoiser).__name__} has no network, so there is nothing to export") from None


def _beside_network(denoiser: Denoiser) -> list[str]:
    """Return what a method does with a picture that is no part of its network."""
    method, readout = type(denoiser), denoiser.active_readout()
    parts = [] if type(denoiser.domain) is IdentityDomain else [f"the domain {type(denoiser.domain).__name__}"]
    if type(readout) not in (OnePass, EightTurns):
        parts.append(f"the readout {type(readout).__name__}")
    steps = ("forward", "restore", "read", "predict_step")
    if method.requires or any(getattr(method, step) is not getattr(Denoiser, step) for step in steps):
        parts.append(f"what {method.__name__} does around the network")
    return parts


def _described(network: Network, readout: Readout) -> str:
    padding = f", padding to multiples of {network.multiple}" if network.multiple > 1 else ""
    turns = ", the mean of eight flips and turns" if isinstance(readout, EightTurns) else " in one pass"
    return f"the network {type(network).__name__}{turns}{padding}; {network.channels} channel(s), values in 0..1"


# -- the kinds of file -----------------------------------------------------------------------------------------------


def _program(graph: nn.Module, channels: int) -> ExportedProgram:
    """Return PyTorch's program of a graph, for images of any number and size."""
    free = dict.fromkeys((0, 2, 3), Dim.DYNAMIC)
    # Otherwise sides below two cells of the network would be refused.
    with shapes.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        program = torch.export.export(graph, (_images(2, channels, 37, 53),), dynamic_shapes=(free,))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def _write_onnx(program: ExportedProgram, path: Path, facts: dict[str, str]) -> None:
    onnx_runtime()
    made = torch.onnx.export(
        program, dynamo=True, opset_version=OPSET, input_names=["noisy"], output_names=["clean"], verbose=False
    )
    assert made is not None  # it is for a program
    for value in (*made.model.graph.inputs, *made.model.graph.outputs):
        assert value.shape is not None
        value.shape = type(value.shape)(["batch", value.shape[1], "height", "width"])
    made.model.metadata_props.update(facts)
    made.save(path, external_data=False)


def _open_onnx(path: Path | bytes) -> Run:
    runtime = onnx_runtime()
    settings = runtime.SessionOptions()
    settings.log_severity_level = 3  # errors only
    settings.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"noisy": images.numpy()})[0])


def _write_program(program: ExportedProgram, path: Path, facts: dict[str, str]) -> None:
    with path.open("wb") as file:
        torch.export.save(program, file, extra_files=facts)


def _open_program(path: Path) -> Run:
    with path.open("rb") as file:
        module: Run = torch.export.load(file).module()
    return module


def _write_bioimage(program: ExportedProgram, path: Path, facts: dict[str, str]) -> None:
    assert program.example_inputs is not None  # `_program` gave some
    noisy = program.example_inputs[0][0]
    with torch.no_grad():
        clean = program.module()(noisy)
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder, "network.onnx")
        _write_onnx(program, onnx, facts)
        write_package(path, onnx, OPSET, facts["torchdenoise"], noisy.numpy(), clean.numpy())


def _open_bioimage(path: Path) -> Run:
    with zipfile.ZipFile(path) as package:
        return _open_onnx(package.read("network.onnx"))


def _runtime_name() -> str:
    return f"ONNX Runtime {onnx_runtime().__version__}"


def _bioimage_name() -> str:
    return f"bioimageio.core {bioimage_checks().__version__} (passed) and {_runtime_name()}"


class _Form(NamedTuple):
    name: str
    write: Callable[[ExportedProgram, Path, dict[str, str]], None]
    opened: Callable[[Path], Run]
    checker: Callable[[], str]


_FORMS = {
    "onnx": _Form(f"ONNX, opset {OPSET}", _write_onnx, _open_onnx, _runtime_name),
    "pt2": _Form("a program of torch.export", _write_program, _open_program, lambda: f"torch {torch.__version__}"),
    "bioimage": _Form(f"bioimage.io, ONNX, opset {OPSET}", _write_bioimage, _open_bioimage, _bioimage_name),
}


# -- checks ----------------------------------------------------------------------------------------------------------


def _images(count: int, channels: int, height: int, width: int) -> Tensor:
    return torch.rand(count, channels, height, width, generator=Generator().manual_seed(0))


@torch.no_grad()
def _difference(run: Run, network: nn.Module, readout: Readout, channels: int) -> tuple[float, float]:
    """Return the largest difference of a file's results from torch's, and the largest absolute value of those."""
    differences, values = [], []
    for count, height, width in SIZES:
        noisy = _images(count, channels, height, width)
        expected = readout(network, noisy, Generator())
        differences.append((run(noisy) - expected).abs().max())
        values.append(expected.abs().max())
    return torch.stack(differences).max().item(), torch.stack(values).max().item()


@contextlib.contextmanager
def _refused(what: str) -> Iterator[None]:
    """Turn any error of an exporter or of a runtime into one line; what a disk refuses stays as it is."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:  # exporters raise anything at what they do not know
        reason = next(iter(str(error).strip().splitlines()), "")[:200]
        raise UserError(f"{what} ({type(error).__name__}: {reason})") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' notes for their developers from the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
