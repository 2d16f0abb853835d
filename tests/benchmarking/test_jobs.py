"""The jobs of a comparison and their fingerprints."""

import pytest

from torchdenoise.benchmarking.jobs import Settings, plan, scenes
from torchdenoise.benchmarking.methods import methods


@pytest.mark.parametrize(
    ("noisy", "noise", "seed", "settings", "fingerprint"),
    [
        (False, ["gaussian:25:clip"], 3, Settings(16, 7, 2, "cpu", 4), "f345bbe951f96deb"),
        (True, [], 0, Settings(), "092f402a8f9ac9e4"),
    ],
)
def test_fingerprints_do_not_change(tmp_path, noisy, noise, seed, settings, fingerprint):
    """A change would make all published rows count as not done."""
    (tmp_path / "own.yaml").write_text("model: ZSN2N\ntrainer: {max_steps: 9}\n")
    (tmp_path / "a.png").write_bytes(b"clean")
    (tmp_path / "noisy").mkdir()
    (tmp_path / "noisy" / "a.png").write_bytes(b"noisy")
    pictures = scenes([tmp_path / "a.png"], [tmp_path / "noisy" / "a.png"] if noisy else [])
    [job] = plan(methods([tmp_path / "own.yaml"]), pictures, noise, [seed], settings)
    assert job.fingerprint() == fingerprint


def test_overrides_change_the_fingerprint(tmp_path):
    (tmp_path / "a.png").write_bytes(b"clean")
    named = methods("zsn2n,a=zsn2n:model.network.width=8,b=zsn2n:model.network.width=9")
    jobs = plan(named, scenes([tmp_path / "a.png"], []), ["gaussian:25"], [0], Settings())
    assert len({job.fingerprint() for job in jobs}) == 3
