"""The script of the GPU's table, at tiny sizes; a recorder for the CPU stands in for CUDA's graphs."""

import pytest

from tests.fitting.recording_on_cpu import traced
from torchdenoise.fitting import step_graphs


@pytest.fixture
def gpu(script, monkeypatch):
    monkeypatch.setitem(step_graphs.CAPTURES, "cpu", traced)
    module = script("gpu")
    monkeypatch.setattr(module, "ALONE", ("pretrained-fast", "zsn2n"))
    monkeypatch.setattr(module, "TOGETHER", ("zsn2n",))
    return module


def test_each_recipe_is_measured_once_with_and_without_graphs(gpu, tmp_path, monkeypatch, capsys):
    rows = tmp_path / "rows.csv"
    words = ["gpu.py", "--device", "cpu", "--side", "32", "--max-steps", "6", "--pictures", "2", "--rows"]
    monkeypatch.setattr("sys.argv", [*words, str(rows)])
    gpu.main()
    found = gpu.read(rows)
    assert [(row["recipe"], row["pictures"], row["graphs"]) for row in found] == [
        ("pretrained-fast", "1", "no"),
        *(("zsn2n", number, graphs) for number in "12" for graphs in ("no", "yes")),
    ]
    assert all(row["difference"] == "0.000" and 10 < float(row["psnr"]) < 40 for row in found)
    gpu.main()
    assert gpu.read(rows) == found
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:-1]))  # killed before the last row
    gpu.main()
    keys = ("recipe", "pictures", "graphs", "psnr", "difference")
    assert [[row[key] for key in keys] for row in gpu.read(rows)] == [[row[key] for key in keys] for row in found]


def test_the_page_names_the_goal_or_that_nothing_was_run(gpu):
    assert "Not run: no GPU was at hand" in gpu.page([])
    row = dict.fromkeys(gpu.COLUMNS, "7") | {"recipe": "fast", "pictures": "24", "graphs": "yes", "seconds": "0.123"}
    assert "| `fast` | 24 | yes | 0.123 | 0.15 | 7 | 7 | 7 |" in gpu.page([row])
