"""Progress bars on a terminal, and plain lines elsewhere."""

FEW = ("--max-steps", "3", "--device", "cpu")


def test_the_bar_changes_nothing(run, noisy_png, monkeypatch):
    assert run("denoise", "noisy.png", "-o", "plain.png", *FEW).code == 0
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes standard output for a terminal
    outcome = run("denoise", "noisy.png", "-o", "bar.png", *FEW)
    assert "3/3" in outcome.out
    assert (noisy_png.parent / "plain.png").read_bytes() == (noisy_png.parent / "bar.png").read_bytes()
