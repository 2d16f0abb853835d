"""Noise2Void by CAREamics on one stack, for ``stacks.py``; runs in an environment of its own, with CAREamics.

PYTHON stacks_careamics.py FOLDER AXES EPOCHS SEED      reads FOLDER/noisy.npy, writes FOLDER/result.npy and note.json
"""

import importlib.util
import json
import logging
import sys
import types
from pathlib import Path

import lightning
import numpy as np
import torch
import torchmetrics  # noqa: F401  # looks for torchvision before there is a stand-in

BATCH = 16


def stand_in_for_torchvision() -> str:
    """Let CAREamics be imported without torchvision, of which Noise2Void uses nothing; return a remark."""
    if importlib.util.find_spec("torchvision") is not None:
        return ""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision"].__dict__["__version__"] = "0"
    return ", without torchvision"


def patch_side(side: int) -> int:
    """Return the side of training patches, so that a small frame has several."""
    return 64 if side >= 256 else 32 if side >= 128 else 16


def main() -> None:
    """Train on all frames, with the settings that CAREamics chooses itself, and denoise them."""
    remark = stand_in_for_torchvision()
    import careamics
    from careamics.config import create_n2v_config

    folder, axes, epochs, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    logging.getLogger("lightning").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    lightning.seed_everything(seed, verbose=False)
    noisy = np.load(folder / "noisy.npy").astype(np.float32)
    side = patch_side(min(noisy.shape[-2:]))
    channels = {"n_channels": noisy.shape[axes.index("C")]} if "C" in axes else {}
    config = create_n2v_config("stack", "array", axes, (side, side), BATCH, num_epochs=epochs, **channels)
    careamist = careamics.CAREamist(config, work_dir=folder, enable_progress_bar=False)
    careamist.train(train_data=noisy)
    predictions, _ = careamist.predict(noisy, tile_size=None, tile_overlap=None, batch_size=1)
    np.save(folder / "result.npy", np.asarray(predictions, np.float32).reshape(noisy.shape))
    versions = f"CAREamics {careamics.__version__}, torch {torch.__version__}{remark}"
    (folder / "note.json").write_text(json.dumps({"versions": f"{versions}; patches of {side}, batch {BATCH}"}))


if __name__ == "__main__":
    main()
