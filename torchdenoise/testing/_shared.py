"""What the checks share: test images, and a failed contract as one line."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Generator, Tensor

from torchdenoise.denoisers import DenoisingLoss
from torchdenoise.registry import Registered
from torchdenoise.stored_recipes import build

SIZES = ((16, 16), (13, 18))
"""Height and width of the test images; odd sizes belong to every contract."""
CHANNELS = (1, 3)
WEIGHTS = (0.8, 0.1, 0.05)
"""Of the network that losses are checked with: gain, share of the neighboring pixel, offset."""

Tensors = Mapping[str, Tensor]


def require(condition: object, thing: object, contract: str) -> None:
    if not condition:
        raise AssertionError(f"{type(thing).__name__}: {contract}")


@contextlib.contextmanager
def keeping(thing: object, contract: str) -> Iterator[None]:
    """Turn any error into one line that names the contract; the error itself stays its cause."""
    try:
        yield
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise AssertionError(f"{type(thing).__name__}: {contract}; it raised {reason}") from error


def check_recipe(thing: Registered) -> None:
    contract = "build(recipe()) must give an equal object: keep every constructor argument under its own name"
    with keeping(thing, contract):
        recipe = thing.recipe()
        again = build(recipe)
    require(type(again) is type(thing) and again.recipe() == recipe, thing, contract)


def check_draw(
    thing: object, draw: Callable[[Generator], dict[str, Tensor]], device: str, where: str, name: str = "draw"
) -> dict[str, Tensor]:
    """Return what is drawn, after checking that it comes from the generator alone and lies on its device."""
    with keeping(thing, f"{name} must work for {where}"):
        draws = draw(new_generator(0, device))
    tensors = isinstance(draws, dict) and all(isinstance(value, Tensor) for value in draws.values())
    require(tensors, thing, f"{name} must return a dict of tensors")
    placed = all(value.device.type == torch.device(device).type for value in draws.values())
    require(placed, thing, f"{name} must return tensors on the device of the images")
    disturb_random_state()
    before = torch.get_rng_state()
    again = draw(new_generator(0, device))
    alone = all_equal(draws, again) and torch.equal(before, torch.get_rng_state())
    require(alone, thing, f"{name} must take all randomness from the generator, none from torch's global state")
    return draws


def disturb_random_state() -> None:
    torch.rand(7)


def new_generator(seed: int, device: str | torch.device) -> Generator:
    return Generator(device).manual_seed(seed)


def tiny_network(weights: Tensor, image: Tensor, /, **_: Tensor) -> Tensor:
    """Return an image-to-image function of three weights, which ignores extra tensors such as masks."""
    gain, neighbor, offset = weights[0], weights[1], weights[2]
    return gain * image + neighbor * image.roll(1, -1) + offset


def clean_image(shape: Sequence[int]) -> Tensor:
    """Return clean images ``(B, C, H, W)`` in 0.2..0.8: ramps whose slopes differ between images and channels."""
    batch, channels, height, width = shape
    down, right = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    slope = torch.linspace(0.2, 0.8, batch * channels).view(batch, channels, 1, 1)
    return 0.2 + 0.6 * (slope * down + (1 - slope) * right)


def noisy_image(shape: Sequence[int], seed: int, device: str) -> Tensor:
    clean = clean_image(shape)
    return (clean + 0.1 * torch.randn(clean.shape, generator=new_generator(seed, "cpu"))).clamp(0, 1).to(device)


def level_and_target(noisy: Tensor) -> dict[str, Tensor]:
    level = torch.full((len(noisy),), 25.5, device=noisy.device)
    return {"level": level, "target": noisy_image(noisy.shape, 99, str(noisy.device))}


def new_batch(
    loss: DenoisingLoss,
    shape: Sequence[int],
    seed: int,
    batch_keys: Callable[[Tensor], Tensors] | None,
    device: str,
) -> dict[str, Tensor]:
    noisy = noisy_image(shape, seed, device)
    known = {
        **level_and_target(noisy),
        "guide": clean_image(shape).to(device),
        **(batch_keys(noisy) if batch_keys else {}),
    }
    missing = [key for key in loss.requires if key not in known]
    require(not missing, loss, f"it requires {missing}: pass batch_keys= to this check")
    return {"noisy": noisy, **{key: known[key] for key in loss.requires}, **loss.measure(noisy)}


def copied(tensors: Tensors) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def all_equal(first: Tensors, second: Tensors) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def all_close(first: Tensors, second: Tensors) -> bool:
    return first.keys() == second.keys() and all(
        torch.allclose(value, second[name], rtol=1e-4, atol=1e-6) for name, value in first.items()
    )


def stacked(each: Iterable[Tensors]) -> dict[str, Tensor]:
    tensors = list(each)
    return {name: torch.stack([one[name] for one in tensors]) for name in tensors[0]}
