"""Repeatable random draws, independent of what else runs and in which order."""

import hashlib

import torch
from torch import Generator, Tensor

from torchdenoise.noise.models import NoiseModel
from torchdenoise.noise.specs import from_spec


def repeatable(noise: NoiseModel | str, clean: Tensor, seed: int = 0) -> Tensor:
    """Return noisy images whose noise depends only on (pixels, canonical spec, seed), drawn on the CPU per image.

    Args:
        noise: a model or its spec.
        clean: images ``(B, C, H, W)``.
        seed: of the noise.

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
    """Return a generator whose draws depend only on the key and on the kind of device.

    Example:
        >>> torch.equal(torch.rand(3, generator=seeded(0, 7)), torch.rand(3, generator=seeded(0, 7)))
        True
    """
    return _from_digest(hashlib.sha256(repr(key).encode()).digest(), device)


def _from_digest(digest: bytes, device: torch.device | str = "cpu") -> Generator:
    return Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
