"""Draws that can be repeated, whatever else runs and in whatever order."""

import hashlib

import torch
from torch import Generator, Tensor

from torchdenoise.noise.models import NoiseModel
from torchdenoise.noise.specs import from_spec


def repeatable(noise: NoiseModel | str, clean: Tensor, seed: int = 0) -> Tensor:
    """Return noisy images drawn as a function of (pixels, canonical spec, seed) alone, on the CPU, image by image.

    The same picture, spec and seed give the same noise, whatever else runs and in whatever order.

    Args:
        noise: the model or its spec; the canonical spec is part of the key.
        clean: images ``(B, C, H, W)``.
        seed: another seed gives another draw.

    Example:
        >>> clean = torch.rand(2, 1, 4, 4)
        >>> one = repeatable(from_spec("gaussian:25"), clean)
        >>> torch.equal(one[1:], repeatable(from_spec("gaussian:25.0"), clean[1:]))
        True
    """
    noise = from_spec(noise)
    images = clean.detach().cpu().float().contiguous()
    noisy = torch.cat([noise(image, _generator(image, noise.spec, seed)) for image in torch.split(images, 1)])
    return noisy.to(clean.device, clean.dtype)


def _generator(image: Tensor, spec: str, seed: int) -> Generator:
    key = hashlib.sha256(image.numpy().tobytes())
    key.update(f"{tuple(image.shape[1:])} {spec} {seed}".encode())
    return _from_digest(key.digest())


def seeded(*key: int, device: torch.device | str = "cpu") -> Generator:
    """Return a generator whose draws depend on the key, and on the kind of device, alone.

    Example:
        >>> torch.equal(torch.rand(3, generator=seeded(0, 7)), torch.rand(3, generator=seeded(0, 7)))
        True
    """
    return _from_digest(hashlib.sha256(repr(key).encode()).digest(), device)


def _from_digest(digest: bytes, device: torch.device | str = "cpu") -> Generator:
    return Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
