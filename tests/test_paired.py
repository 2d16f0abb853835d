"""Timing against an earlier commit."""

import json

import numpy as np
import pytest

ROW = {
    **{"recipe": "fast", "height": "256", "width": "256", "before": "1234567", "after": "89abcde"},
    **{"psnr_before": "30.0", "psnr_after": "30.5", "threads": "2", "precision": "32-true", "device": "x86_64"},
    **{"torch": "2.13.0", "lightning": "2.6.6"},
}


@pytest.fixture
def paired(script, monkeypatch, tmp_path):
    module = script("paired")
    monkeypatch.setattr(module, "ROWS", tmp_path / "paired.csv")
    return module


def test_the_ratio_is_the_median_of_the_pairs(paired):
    for before, after in ((4, 2), (9, 3), (5, 5)):
        paired.store({**ROW, "seconds_before": before, "seconds_after": after})
    assert "| `fast` | 256x256 | 1234567 | 5.00 | 89abcde | 3.00 | 2.00 | 30.00 | 30.50 | 3 |" in paired.page()


def test_a_large_picture_repeats_the_photograph_without_edges(paired):
    picture = paired.clean_picture(300, 600)
    assert picture.shape == (300, 600, 3)
    np.testing.assert_array_equal(picture[256:], picture[255:211:-1])
    np.testing.assert_array_equal(picture[:, 512:], picture[:, :88])


def test_a_measurement_is_seconds_and_psnr(paired, capsys):
    paired.measure("pretrained", 64, 64)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 < found["seconds"] < 60
    assert 24 < found["psnr"] < 40


def test_a_clone_holds_the_commit(paired, tmp_path):
    commit = paired.short("HEAD")
    assert paired.short(commit) == commit
    clone = paired.clone(tmp_path, commit)
    assert (clone / "torchdenoise" / "__init__.py").exists()
