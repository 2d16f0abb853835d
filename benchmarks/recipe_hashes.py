"""Print the SHA-256 of every recipe's result for small images: run it before and after a change, and compare.

    python benchmarks/recipe_hashes.py [RECIPE ...] > before.txt

The images are synthetic: grey, colour and odd-sized, with seeded noise. Each recipe, those of benchmarks/recipes
included, takes a few steps on one thread. Recipes for data sets are trained on synthetic images first. Hashes differ
between machines and versions of PyTorch, so compare only hashes from the same machine.
"""

import hashlib
import sys
import tempfile
import warnings
from pathlib import Path

import lightning
import torch

from torchdenoise import denoise
from torchdenoise.data import Picture, write_picture
from torchdenoise.errors import AssumptionWarning
from torchdenoise.fitting.trainers import HYGIENE
from torchdenoise.isolation import quiet, seed_all
from torchdenoise.noise import repeatable
from torchdenoise.recipes import load_recipe, recipe_names
from torchdenoise.recipes.building import build_fit

STEPS = 6
SIZES = {"grey": (1, 64, 64), "colour": (3, 72, 64), "odd": (3, 65, 69)}
NOISE = "gaussian:25:clip"


def made_picture(channels: int, height: int, width: int) -> torch.Tensor:
    """Return a clean image ``(1, C, H, W)`` of waves and a bright square."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    waves = torch.stack([0.5 + 0.3 * torch.sin(9 * (x + shift) * (1 + y)) for shift in (0.0, 0.2, 0.5)[:channels]])
    waves[:, height // 4 : height // 2, width // 4 : width // 2] = 0.9
    return waves[None]


def digest(image: torch.Tensor) -> str:
    """Return the SHA-256 of an image's bytes."""
    return hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()


def trained(recipe: dict[str, object], channels: int, folder: Path) -> Path:
    """Train a data-set recipe for a few steps on synthetic images, and return its checkpoint."""
    pictures = folder / f"clean{channels}"
    if not pictures.exists():
        pictures.mkdir()
        for number, size in enumerate((40, 48, 56, 64)):
            array = made_picture(channels, size, 48)[0].permute(1, 2, 0).mul(255).byte().numpy()
            picture = Picture.from_array(array)
            write_picture(pictures / f"{number}.png", picture.image, picture)
    overrides = [f"data.train={pictures}", "data.crop=32", "data.batch_size=2", "data.workers=0", "data.repeats=6"]
    fit = build_fit(recipe, overrides)
    seed_all(fit.seed)
    with quiet():
        trainer = lightning.Trainer(max_steps=STEPS, accelerator="cpu", **HYGIENE)
        trainer.fit(fit.model, datamodule=fit.data)
    path = folder / "last.ckpt"
    trainer.save_checkpoint(path)
    return path


def main() -> None:
    """Print a line for each recipe and image."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", AssumptionWarning)
    warnings.filterwarnings("ignore", module=r"lightning\.")
    with tempfile.TemporaryDirectory() as folder:
        own = {path.stem: str(path) for path in sorted((Path(__file__).parent / "recipes").glob("*.yaml"))}
        for name in sys.argv[1:] or [*recipe_names(), *own]:
            source = own.get(name, name)
            recipe = load_recipe(source)
            data_set = "SingleImage" not in recipe["data"]["class_path"]
            for kind, shape in SIZES.items():
                noisy = repeatable(NOISE, made_picture(*shape))
                level = 25.0 if "oracle" in name else None
                if data_set:
                    clean = denoise(noisy, checkpoint=trained(recipe, shape[0], Path(folder)), data_range=1.0)
                else:
                    clean = denoise(noisy, recipe, max_steps=STEPS, data_range=1.0, level=level, device="cpu")
                print(f"{name} {kind} {digest(clean)}", flush=True)
        batch = repeatable(NOISE, torch.cat([made_picture(3, 40, 32), made_picture(3, 40, 32).flip(-1)]))
        for name in ("fast", "zsn2n", "zsn2m"):
            clean = denoise(batch, name, max_steps=STEPS, data_range=1.0, batch=2, device="cpu")
            print(f"{name} stacked {digest(clean)}", flush=True)


if __name__ == "__main__":
    main()
