"""The networks that come with the package beside fits to one picture: writes docs/results/pretrained.md.

    TORCHDENOISE_DATA=DIR python benchmarks/pretrained_results.py [PART ... | page]

Parts: kodak24, auto, adapted, fast, set14, settings, settings-sidd, settings-polyu, settings-fmd, seconds; all by
default: half an hour on two cores. Real pictures are those of ``benchmarks/real.py``. ``seconds`` times fresh processes
and wants an idle machine. What has a row is not done again; rows name the digest of the weights. ``page`` prints the
page from the rows alone.
"""

import csv
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean

import real
from pictures import write_noisy_ramp
from pretrained import left_out_images
from real import PRETRAINED
from speed import Number, timed
from studies import CLIPPED, RESULTS, Part, Variant, average, kodak24, real_part, run_parts, set14, setting

from torchdenoise.benchmarking.columns import Row, shown
from torchdenoise.benchmarking.jobs import REAL
from torchdenoise.benchmarking.store import Store
from torchdenoise.denoisers.weight_files import KEY, read_weights, shipped_weights

ADAPTED = "pretrained-best"
"""The one that is fitted to the picture."""
PURE = ("instant", "fast")
NOISE = ("gaussian:10", "gaussian:25", CLIPPED, "gaussian:50", "poisson:10", "poisson:25", "poisson:50")
COMPARED = (CLIPPED, "poisson:25")
"""Noise at which ``benchmarks/comparisons.py`` has rows of all methods under a minute."""
SLOW = ("best", "bm3d-oracle", "n2c-blind")
"""All their rows are from there."""


def changed_readout(*settings: str) -> Variant:
    """Return ``pretrained-fast`` with other settings of its readout."""
    return "pretrained-fast", [f"model.readout.{each}" for each in settings]


SETTINGS_FOLDER = "studies/pretrained/settings"
SETTINGS: dict[str, Variant] = {
    "pretrained": "pretrained",
    "eight turns": ("pretrained", ["model.readout=EightTurns"]),
    "pretrained-fast": "pretrained-fast",
    **{f"noisy share {share}": changed_readout(f"noisy_share={share}") for share in (1.0, 0.7, 0.25)},
    "one pass before similar patches": changed_readout("inner=OnePass"),
    "128 similar patches in 33x33": changed_readout("similar=128", "window=33"),
    "four rounds for correlated noise": changed_readout("correlated_rounds=4"),
}
"""``pretrained`` and ``pretrained-fast``, and each with one thing changed."""
SETTINGS_OF_REAL = ("pretrained-fast", "noisy share 1.0", "noisy share 0.25", "four rounds for correlated noise")
"""Of them, those that are tried on real pictures."""
RUNS = 5
"""Fresh processes that are timed."""
SIDE = 256


def parts() -> dict[str, Part]:
    """Return the comparisons by name; those on Kodak24 share a folder."""
    quick = {name: name for name in PRETRAINED if name != ADAPTED}
    folder = "studies/pretrained/kodak24"
    others = tuple(noise for noise in NOISE if noise not in COMPARED)
    return {
        "kodak24": Part(folder, quick, kodak24(), NOISE),
        "auto": Part(folder, {"auto": "auto"}, kodak24(), NOISE),
        "adapted": Part(folder, {ADAPTED: ADAPTED}, kodak24(), COMPARED),
        "fast": Part(folder, {name: name for name in PURE}, kodak24(), others),
        "set14": Part("studies/pretrained/set14", {**quick, "auto": "auto", "fast": "fast"}, set14(), COMPARED),
        **settings_parts(),
    }


def settings_parts() -> dict[str, Part]:
    """Return the comparisons of settings: on images left out of the training, and on the odd half of real pictures."""
    found = {"settings": Part(f"{SETTINGS_FOLDER}/training", SETTINGS, left_out_images(), COMPARED)}
    tried = {label: SETTINGS[label] for label in SETTINGS_OF_REAL}
    for name in real.SETS:
        odd = real.part(name, "odd").noisy
        found[f"settings-{name}"] = real_part(f"{SETTINGS_FOLDER}/{name}", tried, odd)
    return found


def rows_of(name: str) -> list[Row]:
    """Return the finished rows of a set, with those of slow methods from the comparison of all methods."""
    found = Store.read(RESULTS / "studies" / "pretrained" / name)
    if name == "kodak24":
        slow = [*Store.read(RESULTS / "compare" / "kodak24"), *Store.read(RESULTS / "compare" / "oracle")]
        found += [row for row in slow if row["recipe"] in (*SLOW, *PURE)]
    unique = {(row["recipe"], row["image"], row["noise"]): row for row in found if row["status"] == "done"}
    return list(unique.values())


def table(rows: Sequence[Row], column: str, digits: int) -> list[str]:
    """Return means of a column by recipe and noise, for recipes that have finished every picture of a noise."""
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    pictures = {row["image"] for row in rows}
    text = [f"| recipe | {' | '.join(f'`{noise}`' for noise in noises)} |", "|---|" + "---|" * len(noises)]
    for recipe in ("auto", *PRETRAINED, *PURE, *SLOW):
        cells = []
        for noise in noises:
            mine = [row for row in rows if (row["recipe"], row["noise"]) == (recipe, noise)]
            done = {row["image"] for row in mine} == pictures
            cells.append(shown(mean(float(row[column]) for row in mine) if done else None, digits))
        if set(cells) != {"-"}:
            text.append(f"| `{recipe}` | {' | '.join(cells)} |")
    return text


def real_table() -> list[str]:
    """Return PSNR and SSIM on real pictures, over those that all recipes of a set have finished."""
    text = ["| recipe | SIDD | PolyU | FMD |", "|---|---|---|---|"]
    recipes = ("auto", *PRETRAINED, *PURE, "best", "bm3d-correlated")
    figures = {name: {recipe: _real(name, recipe) for recipe in recipes} for name in real.SETS}
    for recipe in recipes:
        text.append(f"| `{recipe}` | {' | '.join(figures[name][recipe] for name in real.SETS)} |")
    return text


def _real(name: str, recipe: str) -> str:
    rows = real.rows_of(name)
    pictures = {row["image"] for row in rows if row["recipe"] == "fast"}
    mine = [row for row in rows if row["recipe"] == recipe]
    if {row["image"] for row in mine} != pictures or not mine:
        return "-"
    return f"{mean(real.samples(name, mine)):.2f} ({mean(real.samples(name, mine, 'ssim')):.3f})"


def settings_table() -> list[str]:
    """Return PSNR by setting, of settings that have finished every picture."""
    columns = [(f"`{noise}`", "training", noise) for noise in COMPARED]
    columns += [(this.title.partition(",")[0], name, REAL) for name, this in real.SETS.items()]
    text = [f"| | {' | '.join(title for title, *_ in columns)} |", "|---|" + "---|" * len(columns)]
    rows = {name: Store.read(RESULTS / SETTINGS_FOLDER / name) for _, name, _ in columns}
    for label in SETTINGS:
        cells = []
        for _, name, noise in columns:
            done = [row for row in rows[name] if row["noise"] == noise and row["status"] == "done"]
            mine = [row for row in done if row["recipe"] == label]
            complete = mine and len(mine) == len({row["image"] for row in done})
            cells.append(shown(average(mine) if complete else None))
        text.append(f"| {label} | {' | '.join(cells)} |")
    return text


def seconds() -> None:
    """Time the commands in fresh processes, imports included, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        noisy = Path(folder, "noisy.png")
        write_noisy_ramp(noisy, SIDE)

        def fresh(recipe: str) -> dict[str, Number]:
            command = [sys.executable, "-m", "torchdenoise", "denoise", noisy, "-o", Path(folder, "clean.png")]
            begin = time.perf_counter()
            subprocess.run([*command, "--recipe", recipe, "--overwrite"], check=True, capture_output=True)
            return {"seconds": round(time.perf_counter() - begin, 2)}

        keys = [(recipe, run) for recipe in (*PRETRAINED, *PURE) for run in range(RUNS)]
        timed("fresh", ("seconds",), {f"{recipe} {run}": partial(fresh, recipe) for recipe, run in keys})


def fresh_seconds() -> list[str]:
    """Return the shortest and the median seconds of fresh processes."""
    path = RESULTS / "speed_fresh.csv"
    if not path.exists():
        return ["Not run: `python benchmarks/pretrained_results.py seconds`."]
    found: dict[str, list[float]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["key"].partition(" ")[0], []).append(float(row["seconds"]))
    text = ["| recipe | shortest, s | median, s |", "|---|---|---|"]
    return text + [
        f"| `{recipe}` | {min(each):.2f} | {sorted(each)[len(each) // 2]:.2f} |" for recipe, each in found.items()
    ]


def card() -> list[str]:
    """Return what the weights say of themselves."""
    text = ["| weights | SHA-256 | bytes | parameters | rounds | steps | torch |", "|---|---|---|---|---|---|---|"]
    for name, path in shipped_weights().items():
        stored = read_weights(path)
        facts = stored[KEY]["training"]
        size = sum(value.numel() for value in stored["state_dict"].values())
        cells = [f"`{name}`", hashlib.sha256(path.read_bytes()).hexdigest()[:8], str(path.stat().st_size), str(size)]
        text.append(f"| {' | '.join([*cells, str(facts['rounds']), str(facts['steps']), facts['torch']])} |")
    return text


def write_page() -> None:
    """Write the page from the rows."""
    text = [
        "# Pretrained weights",
        "",
        "Two leagues: `pretrained`, `pretrained-fast` and `pretrained-best` use weights trained on other pictures "
        "([model card](../model_card.md)), `n2c-blind` too, and `auto`, the default, where it chooses "
        "`pretrained-fast` rather than `fast`; the others see one picture alone. By the rules of the "
        "[protocol](../protocol.md); printed by `python benchmarks/pretrained_results.py`.",
        "",
        *card(),
    ]
    for name, title in (("kodak24", "Kodak24, centre crops 256x256"), ("set14", "Set14, centre crops 256x256")):
        rows = rows_of(name)
        text += ["", f"## {title}", ""]
        if not rows:
            text.append(f"Not run: `python benchmarks/pretrained_results.py {name}`.")
            continue
        text += [f"{len({row['image'] for row in rows})} pictures; {setting(rows)}.", "", "PSNR:", ""]
        text += [*table(rows, "psnr", 2), "", "SSIM:", "", *table(rows, "ssim", 3)]
    text += ["", "## One thing changed", ""]
    text += [
        "`pretrained` and `pretrained-fast`, each followed by lines that change one thing: PSNR on the 8 images that "
        "were left out of the training, and on the odd half of the real pictures, on which settings may be chosen.",
        "",
        *settings_table(),
    ]
    text += ["", "## Real noise", "", "PSNR (SSIM), the pictures of [real](real.md), which the networks never saw:", ""]
    text += [*real_table(), "", "## From the shell to the file", ""]
    text += [f"A {SIDE}x{SIDE} colour PNG, imports included, all threads of an idle machine, {RUNS} runs each:", ""]
    text += fresh_seconds()
    (RESULTS / "pretrained.md").write_text("\n".join([*text, ""]))


def main() -> None:
    """Run the named parts, and write the page after each."""
    run_parts({**{name: part.run for name, part in parts().items()}, "seconds": seconds}, write_page)


if __name__ == "__main__":
    main()
