"""The table of a comparison: means over the pictures that all its rows share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import mean, stdev

from torchdenoise.benchmarking.scoring import Row


@dataclass(frozen=True)
class Line:
    """A method under one noise: figures over the shared pictures, as numbers; None where there are none."""

    recipe: str
    noise: str
    shared: int
    done: int
    failed: int
    psnr: float | None
    spread: float | None
    ssim: float | None
    removed: float | None
    correlation: float | None
    seconds: float | None
    memory: float | None
    steps: str
    parameters: str


def lines(rows: Sequence[Row]) -> list[Line]:
    """Return a line for each method and noise, best first; methods without a finished row come last.

    A method is ranked by the pictures (and seeds) that every method with a finished row has finished.
    """
    noises = dict.fromkeys(row["noise"] for row in rows)
    return [line for noise in noises for line in _of_noise(noise, [row for row in rows if row["noise"] == noise])]


def _of_noise(noise: str, rows: Sequence[Row]) -> list[Line]:
    recipes = dict.fromkeys(row["recipe"] for row in rows)
    done = {recipe: [row for row in rows if row["recipe"] == recipe and row["status"] == "done"] for recipe in recipes}
    shared = shared_scenes(rows)
    made = []
    for recipe, each in done.items():
        common = [row for row in each if _scene(row) in shared]
        failures = sum(row["recipe"] == recipe and row["status"] == "failed" for row in rows)
        psnr = _values(common, "psnr")
        first = each[0] if each else {}
        made.append(
            Line(
                recipe=recipe,
                noise=noise,
                shared=len(common),
                done=len(each),
                failed=failures,
                psnr=mean(psnr) if psnr else None,
                spread=stdev(psnr) if len(psnr) > 1 and all(map(isfinite, psnr)) else None,
                ssim=_mean(common, "ssim"),
                removed=_mean(common, "removed"),
                correlation=_mean(common, "correlation"),
                seconds=_mean(common, "seconds"),
                memory=_mean(common, "memory_mb"),
                steps=first.get("steps", ""),
                parameters=first.get("parameters", ""),
            )
        )
    return sorted(made, key=lambda line: (not line.shared, -(line.psnr or 0), line.correlation or 0, line.recipe))


def shared_scenes(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """Return picture and seed of what every method with a finished row has finished, of rows of one noise."""
    finished: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if row["status"] == "done":
            finished.setdefault(row["recipe"], set()).add(_scene(row))
    return set.intersection(*finished.values()) if finished else set()


def _scene(row: Row) -> tuple[str, str]:
    return (row["image"], row["seed"])


def _values(rows: Sequence[Row], name: str) -> list[float]:
    return [float(row[name]) for row in rows if row[name]]


def _mean(rows: Sequence[Row], name: str) -> float | None:
    values = _values(rows, name)
    return mean(values) if values else None


def setting(rows: Sequence[Row]) -> str:
    """Return how rows were made, in words: seeds, crop, threads, device and versions."""
    told = {
        name: ", ".join(sorted({row[name] for row in rows if row[name]}))
        for name in ("seed", "crop", "threads", "device", "torch", "lightning", "torchdenoise")
    }
    crop = f"Centre crops {told['crop']}x{told['crop']}" if told["crop"] else "Whole pictures"
    threads = f"{told['threads']} thread{'' if told['threads'] == '1' else 's'}"
    together = max((int(row["batch"]) for row in rows if row["batch"]), default=1)
    batch = f", up to {together} pictures fitted together" if together > 1 else ""
    busy = any(row["workers"] not in ("", "1") for row in rows)
    contended = ", several jobs at a time: **seconds are contended**" if busy else ""
    return (
        f"{crop}, seed {told['seed']}, {threads} a job on {told['device']}{batch}{contended}; "
        f"torch {told['torch']}, lightning {told['lightning']}, torchdenoise {told['torchdenoise']}"
    )


def markdown(rows: Sequence[Row], command: str) -> str:
    """Return the page of a comparison."""
    text = [
        "# Comparison",
        "",
        f"`{command}`",
        "",
        f"{setting(rows)}.",
        "",
        "PSNR and SSIM of each picture over all channels, output clamped to 0..1, then the mean over the n pictures "
        "that all methods of a table have finished, ± the deviation between pictures. `removed`: deviation of what a "
        "method took away, on the 0-255 scale; `correlation`: of its neighbouring pixels, near 0 if it took away "
        "nothing but noise that is independent from pixel to pixel.",
    ]
    for noise in dict.fromkeys(row["noise"] for row in rows):
        text += ["", f"## {noise}", "", *_table([line for line in lines(rows) if line.noise == noise])]
    told = warned(rows)
    if told:
        text += ["", "## Warnings", "", *(f"- {line}" for line in told)]
    failures = [row for row in rows if row["status"] == "failed"]
    if failures:
        text += ["", "## Failed", ""]
        text += [f"- {row['recipe']} on {row['image']}, {row['noise']}: {row['error']}" for row in failures]
    return "\n".join([*text, ""])


def warned(rows: Sequence[Row]) -> list[str]:
    """Return what methods found wrong with the noise, and on how many pictures."""
    told = []
    for recipe, noise in dict.fromkeys((row["recipe"], row["noise"]) for row in rows):
        mine = [row for row in rows if (row["recipe"], row["noise"], row["status"]) == (recipe, noise, "done")]
        reasons = Counter(row["warning"] for row in mine if row["warning"])
        told += [f"{recipe}, {noise}, {count} of {len(mine)}: {reason}" for reason, count in reasons.items()]
    return told


def _table(table: Sequence[Line]) -> list[str]:
    head = "| recipe | n | PSNR | SSIM | s | steps | parameters | MiB | removed | correlation |"
    body = []
    for line in table:
        count = f"{line.shared}" + (f" of {line.done}" if line.done != line.shared else "")
        count += f" ({line.failed} failed)" if line.failed else ""
        spread = f" ± {line.spread:.2f}" if line.spread is not None else ""
        body.append(
            f"| {line.recipe} | {count} | {shown(line.psnr)}{spread} | {shown(line.ssim, 3)} | {shown(line.seconds)} | "
            f"{line.steps or '-'} | {line.parameters or '-'} | {shown(line.memory, 0)} | {shown(line.removed)} | "
            f"{shown(line.correlation)} |"
        )
    return [head, "|---|" + "---|" * 9, *body]


def shown(value: float | None, digits: int = 2) -> str:
    """Return a figure as it stands in a table; a dash for none."""
    return "-" if value is None else f"{value:.{digits}f}"
