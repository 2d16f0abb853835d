"""A metric in a file outside the package appears wherever metrics are shown."""

import csv
import io
import os
import subprocess
import sys

import pytest
from helpers import scene, write_png

from torchdenoise.data import read_picture

METRICS = '''
from torchdenoise.metrics import Metric


class MeanError(Metric, name="mae", source="a textbook"):
    """Mean absolute error."""

    heading, digits, higher_is_better, requires = "MAE", 4, False, ("clean",)

    def __call__(self, result, batch):
        return (result - batch["clean"]).abs().mean((1, 2, 3))


class Contrast(Metric, name="contrast", source="a textbook"):
    """Standard deviation of the result."""

    def __call__(self, result, batch):
        return result.flatten(1).std(1)
'''
COMMANDS = """
import user_metrics
from torchdenoise.cli import main

data = ["--data", "clean", "--noise", "gaussian:25"]
assert main(["compare", "--recipes", "tv", *data, "--threads", "1", "-o", "res"]) == 0
assert main(["list", "metrics"]) == 0
folder = ["--data", "ImageFolder", "--data.test", "clean", "--data.noise", "gaussian:25"]
assert main(["test", "--model", "TotalVariation", *folder, "--trainer.accelerator", "cpu"]) == 0
"""


@pytest.mark.slow
def test_a_user_s_metric_needs_only_one_file(tmp_path):
    (tmp_path / "clean").mkdir()
    for name in "ab":
        write_png(tmp_path / "clean" / f"{name}.png", scene(20, 22))
    (tmp_path / "user_metrics.py").write_text(METRICS)
    (tmp_path / "commands.py").write_text(COMMANDS)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    options = {"cwd": tmp_path, "capture_output": True, "text": True, "env": environment}
    done = subprocess.run([sys.executable, "commands.py"], **options)
    assert done.returncode == 0, done.stderr

    text = (tmp_path / "res/results.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    result = read_picture(tmp_path / "res/pictures/a_gaussian-25_0/tv.png").image
    error = (result - read_picture(tmp_path / "clean/a.png").image).abs().mean().item()
    assert float(rows[0]["mae"]) == pytest.approx(error, abs=0.002)
    assert float(rows[0]["noisy_mae"]) > 1.5 * error
    assert float(rows[0]["contrast"]) > 0
    assert "noisy_contrast" not in rows[0]
    assert "| MAE |" in (tmp_path / "res/table.md").read_text()
    report = (tmp_path / "res/report.html").read_text()
    assert 'title="Mean absolute error.">MAE</th>' in report
    assert "contrast</th>" in report
    assert "mae\tMean absolute error.\ta textbook" in done.stdout
    assert "picture\tPSNR\tSSIM\tremoved\tcorrelation\tMAE\tcontrast" in done.stdout
