"""The benchmark of start-up times: it continues, and its page holds what the rows say."""

import sys

import pytest


@pytest.fixture
def startup(script, tmp_path, monkeypatch):
    """The module, with results in a temporary folder and two commands that take no time."""
    module = script("startup")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "COMMANDS", {"`pass`": ["-c", "pass"], "`import os`": ["-c", "import os"]})
    return module


def run(module, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["startup.py", *words])
    module.main()
    return (module.RESULTS / "startup.md").read_text()


def test_a_page_without_rows_names_what_to_run(startup, monkeypatch):
    page = run(startup, monkeypatch, "--parts", "page")
    assert [f"`python benchmarks/startup.py --parts {part}`" in page for part in ("commands", "wheel", "docs")] == [
        True
    ] * 3
    assert not (startup.RESULTS / "startup.csv").exists()


def test_commands_alternate_and_what_has_a_row_is_not_run_again(startup, monkeypatch):
    timed = startup.seconds
    started = []
    monkeypatch.setattr(startup, "seconds", lambda words, folder: started.append(words[-1]) or timed(words, folder))
    run(startup, monkeypatch, "--parts", "commands", "--runs", "2")
    assert started == ["pass", "import os"] * 3
    rows = (startup.RESULTS / "startup.csv").read_text().splitlines(keepends=True)
    (startup.RESULTS / "startup.csv").write_text("".join(rows[:-1]))
    started.clear()
    page = run(startup, monkeypatch, "--parts", "commands", "--runs", "2")
    assert started == ["import os"] * 2  # the first is not counted
    assert all(text in page for text in ("| `pass` | 0.", "| `import os` | 0.", "| 2 |", "CPU thread(s)"))


def test_the_page_has_median_and_fastest_of_the_rows(startup, monkeypatch):
    for number, value in enumerate((0.5, 0.2, 0.9)):
        startup.store("`pass`", value, number)
    startup.store(startup.WHEEL, 3_000_000)
    startup.store(startup.WEIGHTS, 2_500_000)
    page = run(startup, monkeypatch, "--parts", "page")
    assert "| `pass` | 0.500 | 0.200 | 3 |" in page
    assert "| wheel | 3,000,000 |" in page
    assert "| of it, weights | 2,500,000 |" in page


def test_a_command_that_fails_ends_the_measurement(startup, monkeypatch):
    monkeypatch.setitem(startup.COMMANDS, "`pass`", ["-c", "raise SystemExit(3)"])
    with pytest.raises(startup.subprocess.CalledProcessError):
        run(startup, monkeypatch, "--parts", "commands", "--runs", "1")
    assert startup.stored() == []


@pytest.mark.slow
def test_the_weights_are_most_of_the_wheel(startup):
    startup.wheel(1)
    sizes = {row["what"]: float(row["value"]) for row in startup.stored()}
    assert 0.5 * sizes[startup.WHEEL] < sizes[startup.WEIGHTS] < sizes[startup.WHEEL]
