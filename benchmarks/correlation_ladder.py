"""What each part of removing correlated noise contributes: writes docs/results/correlation_ladder.md.

    TORCHDENOISE_DATA=DIR python benchmarks/correlation_ladder.py [parts | scales | steps | page]

The odd scenes of SIDD, on which settings may be chosen; about half an hour on two cores. The rows are kept in
docs/results/studies/correlation_ladder. What has a row is not done again: delete the rows after changing the code.
"""

from collections.abc import Sequence

import uncorrelated
from real import part as real_half
from studies import RESULTS, Part, Variant, average, run_parts, setting

from torchdenoise.benchmarking.columns import Row
from torchdenoise.benchmarking.tables import shared_scenes

FOLDER = "studies/correlation_ladder"
STEPS = 100
"""Of each scale, as in ``fast``."""
MOST = 3
"""The scales of ``fast`` at 256x256 pixels."""
LOSS = (f"model.loss.loss={uncorrelated.UncorrelatedLoss.__name__}", "model.loss.loss.amount=0.7")
READOUT = (
    f"model.readout={uncorrelated.UncorrelatedRidge.__name__}", "model.readout.similar=64", "model.readout.window=25",
    "model.readout.rounds=2",
)  # fmt: skip


def scales(number: int, steps: int = STEPS) -> tuple[str, ...]:
    """Return the overrides for a number of scales, and the steps of each."""
    return (f"model.scales={number}", f"trainer.max_steps={number * steps}")


TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "parts": {
        "none of them": (*LOSS, *READOUT, *scales(1)),
        "covariance in the loss alone": (*READOUT, *scales(1)),
        "covariance in the readout alone": (*LOSS, *scales(1)),
        "three scales alone": (*LOSS, *READOUT, *scales(MOST)),
        "covariance in both, one scale": scales(1),
        "all together": scales(MOST),
    },
    "scales": {f"{number} scale{'s' if number > 1 else ''}": scales(number) for number in (1, 2, 3)},
    "steps": {f"{steps} steps a scale": scales(MOST, steps) for steps in (50, 100, 200)},
}
TITLES = {
    "parts": "Each part alone, and together",
    "scales": f"Scales, with {STEPS} steps of each",
    "steps": f"Steps of each of the {MOST} scales",
}


def part(name: str, first: int | None = None) -> Part:
    """Return the comparison of a table; variants that differ in name alone are computed once."""
    variants: dict[str, Variant] = {_label(changes): ("fast", changes) for changes in TABLES[name].values()}
    half = real_half("sidd", "odd", (), first)
    return Part(FOLDER, variants, half.images, noisy=half.noisy)


def _label(changes: Sequence[str]) -> str:
    """Return the name of a variant's rows: where it first appears in the tables."""
    titles = [(title, tuple(each)) for table in TABLES.values() for title, each in table.items()]
    return next(title for title, each in titles if each == tuple(changes))


def table(name: str) -> list[str]:
    """Return a table of the page, over the pictures that all its variants have finished."""
    text = ["", f"## {TITLES[name]}", ""]
    rows = part(name).rows()
    shared = shared_scenes(rows)
    if not shared:
        return [*text, f"Not run: `python benchmarks/correlation_ladder.py {name}`."]
    rows = [row for row in rows if (row["image"], row["seed"]) in shared]
    text += [
        f"Pictures: {len(shared)}.",
        "",
        "| `fast` | PSNR | against the first | SSIM | s |",
        "|---|---|---|---|---|",
    ]
    first: float | None = None
    for title, changes in TABLES[name].items():
        mine = [row for row in rows if row["recipe"] == _label(changes)]
        if not mine:
            text.append(f"| {title} | not run | - | - | - |")
            continue
        first = average(mine) if first is None else first
        text.append(_line(title, mine, first))
    return text


def _line(title: str, rows: Sequence[Row], first: float) -> str:
    psnr = average(rows)
    return (
        f"| {title} | {psnr:.2f} | {psnr - first:+.2f} | {average(rows, 'ssim'):.3f} | {average(rows, 'seconds'):.1f} |"
    )


def write_page() -> None:
    """Write the page from the rows."""
    rows = [row for name in TABLES for row in part(name).rows()]
    text = [
        "# Correlated noise, part by part",
        "",
        "`fast` on the odd scenes of SIDD (block 17 of each), on which its settings were chosen"
        + (f"; {setting(rows)}" if rows else "")
        + ". Without covariance, the loss or the readout knows the measured level at each brightness, and takes the "
        "noise for independent in every pixel and channel; the level at each scale follows from the measured "
        "covariance all the same. Printed by `python benchmarks/correlation_ladder.py`; rows: "
        "`studies/correlation_ladder`.",
    ]
    for name in TABLES:
        text += table(name)
    (RESULTS / "correlation_ladder.md").write_text("\n".join([*text, ""]))


def main() -> None:
    """Run the named tables, or all, and write the page after each."""
    run_parts({name: part(name).run for name in TABLES}, write_page)


if __name__ == "__main__":
    main()
