"""Networks trained by ``torchdenoise fit``; a training that was killed resumes."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

from studies import RESULTS, data_folder


def runs_folder() -> Path:
    """Return the folder of checkpoints and logs: ``TORCHDENOISE_RUNS``, or ``runs`` in the working folder."""
    return Path(os.environ.get("TORCHDENOISE_RUNS", "runs")).resolve()


def trained(name: str, *words: str, images: Path | None = None) -> Path:
    """Train a network, unless it is trained already, and return its checkpoint.

    Its validation scores by step are kept in ``docs/results/curves/NAME.csv``.

    Args:
        name: of the network and its folder.
        words: arguments of ``fit``.
        images: folder of training images; ``bsds400/train`` unless given.
    """
    folder = runs_folder() / name
    final = folder / "final.ckpt"
    if final.exists():
        return final
    logger = ["--trainer.logger", "CSVLogger", "--trainer.logger.flush_logs_every_n_steps", "10"]
    logger += ["--trainer.logger.save_dir", str(folder.parent), "--trainer.logger.name", name]
    earlier = sorted(folder.glob("version_*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
    resumed = ["--ckpt_path", str(earlier[-1])] if earlier else []
    train = ["--data.train", str(images or data_folder() / "bsds400" / "train")]
    command = [sys.executable, "-m", "torchdenoise", "fit", *words, *train, *logger, *resumed]
    print(f"$ {name}: torchdenoise {' '.join(command[3:])}", flush=True)
    subprocess.run(command, check=True)
    newest = max(folder.glob("version_*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
    _keep_curves(folder, name)
    shutil.copy(newest, final)
    return final


def _keep_curves(folder: Path, name: str) -> None:
    """Write the validation scores of a training, which may have been resumed, into one small table."""
    fields = ["step", "val_psnr", "val_ssim"]
    scores: dict[int, dict[str, str]] = {}
    for log in sorted(folder.glob("version_*/metrics.csv"), key=lambda path: path.stat().st_mtime):
        with log.open(newline="") as file:
            for row in csv.DictReader(file):
                if row.get("val_psnr"):
                    scores[int(row["step"])] = {name: row[name] for name in fields}
    if scores:
        path = RESULTS / "curves" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerows(scores[step] for step in sorted(scores))
