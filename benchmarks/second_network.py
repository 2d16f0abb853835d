"""GRD-Net trained on whole pictures: the part ``long`` of zsn2m_choices.py, its rows and its tables.

One fit of the first network for each crop and each C is shared by all variants of the second one, and one fit of the
second network gives several readouts, scored along the way.
"""

import copy
import csv
import functools
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean

import lightning
import torch
from studies import CLIPPED, RESULTS, average, centre_crop, training_images
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from training import runs_folder

from torchdenoise import metrics
from torchdenoise.benchmarking.scoring import VERSION
from torchdenoise.data import read_picture
from torchdenoise.denoisers import GRDLoss, GRDNet, Muon
from torchdenoise.denoisers.methods.zsn2m import cell_mean, local_mean
from torchdenoise.fitting import Options
from torchdenoise.fitting.single import fit_shared
from torchdenoise.isolation import seed_all
from torchdenoise.noise import repeatable
from torchdenoise.recipes import load_recipe

STEPS = (125, 250, 500, 1000, 2000)
"""Of the second network: where it is scored."""
DECAY = 0.99
"""Of the running means of outputs and of weights, as in Deep Image Prior: the last hundred steps, roughly."""
SHIFTS = ((0, 0), (0, 1), (1, 0), (1, 1))
MARGIN = 16
"""Pixels by which a shifted picture grows: so that half of it is a multiple of 8, as GRD-Net needs."""
SEED = 0
ROWS = RESULTS / "studies" / "zsn2m_choices" / "long" / "results.csv"
FIRST, TURNS = "first network", "first network, eight turns"
LAST, OUTPUTS, WEIGHTS = "last", "outputs", "weights"
CELLS, CELLS_WEIGHTS, BOTH = "cells", "cells, weights", "outputs and first"
WEIGHTS_FIRST, OUTPUTS_TURNS = "weights and first", "outputs and first by eight turns"
READOUTS = (LAST, OUTPUTS, WEIGHTS, CELLS, CELLS_WEIGHTS, BOTH, WEIGHTS_FIRST, OUTPUTS_TURNS)
Rows = Sequence[Mapping[str, str]]
FIELDS = (
    "variant", "image", "step", "readout", "psnr", "first_psnr", "between_cells", "in_cells", "flat", "to_target",
    "parameters", "seconds", "crop", "noise", "seed", "threads", "device", "torch", "lightning", "torchdenoise",
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One way to train GRD-Net.

    Args:
        rate: learning rate of Adam, constant.
        muon: Muon at 5e-3, decaying linearly to zero, in place of Adam, as in the recipe.
        normed: with batch normalisation, always by the statistics of the picture at hand.
        constant: C of the first network.
        shifted: train with the cells at a random one of the four positions in each step.
        width: of GRD-Net; 48 in the recipe.
        until: the step after which it stops; the learning rate decays as if it went on.
        crop: side of the crops.
        first_steps: of the first network; its rate is halved after half of them, as in the recipe.
        crops: how many crops; one is enough to see that a variant is decibels behind.
    """

    rate: float = 1e-3
    muon: bool = False
    normed: bool = False
    constant: float = 0.01
    shifted: bool = False
    width: int = 16
    until: int = STEPS[-1]
    crop: int = 64
    first_steps: int = 1000
    crops: int = 1

    @property
    def scored(self) -> list[int]:
        """The steps at which it is scored."""
        return [step for step in STEPS if step <= self.until]


VARIANTS = {
    "Adam 3e-4": Variant(rate=3e-4),
    "Adam 1e-3": Variant(),
    "Adam 1e-3, batch normalisation": Variant(normed=True),
    "Muon": Variant(muon=True),
    "Muon, stopped": Variant(muon=True, until=500, crops=6),
    "Muon, stopped, C 0.003": Variant(muon=True, constant=0.003, until=500, crops=2),
    "Muon, stopped, 96x96, full first network": Variant(muon=True, until=500, crop=96, first_steps=2000, crops=2),
    "Muon, stopped, width 48": Variant(muon=True, width=48, until=500),
    "Adam 1e-4": Variant(rate=1e-4),
}


def run() -> None:
    """Fit the variants whose rows are missing, in the order of the table."""
    torch.set_num_threads(1)
    for name, variant in VARIANTS.items():
        for path in training_images()[: variant.crops]:
            if not any((row["variant"], row["image"]) == (name, path.stem) for row in rows()):
                clean = centre_crop(read_picture(path).image, variant.crop)
                noisy = repeatable(CLIPPED, clean, SEED)
                found = second_rows(variant, noisy, first_results(noisy, variant, path.stem), clean)
                add_rows([{"variant": name, "image": path.stem, **row} for row in found])
                print(
                    f"{name}, {path.stem}: {found[0]['psnr']} dB, then", *(row["psnr"] for row in found[1:]), flush=True
                )


def rows() -> list[dict[str, str]]:
    """Return the rows; those of a fit are written together."""
    if not ROWS.exists():
        return []
    with ROWS.open(newline="") as file:
        return list(csv.DictReader(file))


def add_rows(new: Sequence[dict[str, object]]) -> None:
    """Write the rows anew with those of one more fit, so that a kill never leaves part of them."""
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    draft = ROWS.with_suffix(".new")
    with draft.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows(), *new])
    draft.replace(ROWS)


def first_results(noisy: Tensor, variant: Variant, name: str) -> tuple[Tensor, Tensor]:
    """Return the first network's result by one pass and by eight turns, from the folder of runs if it is there."""
    path = runs_folder() / "zsn2m_choices" / f"{name}-{variant.crop}-{variant.first_steps}-{variant.constant}.pt"
    if not path.exists():
        changes = (f"model.scheduler.step_size={variant.first_steps // 2}", f"model.loss.constant={variant.constant}")
        options = Options(max_steps=variant.first_steps, device="cpu", overrides=changes)
        turns = replace(options, overrides=(*changes, "model.readout=EightTurns"))
        recipe = load_recipe("zsn2m-star")
        fitted = fit_shared(noisy, [(recipe, options), (recipe, turns)])
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save([each.image for each in fitted], path)
    one_pass, by_turns = torch.load(path, weights_only=True)
    return one_pass, by_turns


def second_rows(
    variant: Variant, noisy: Tensor, firsts: tuple[Tensor, Tensor], clean: Tensor
) -> list[dict[str, object]]:
    """Fit the second network and return a row for each readout at each of ``STEPS``, and the first network's."""
    begin = time.perf_counter()
    seed_all(SEED)
    network = GRDNet(noisy.shape[1], variant.width, residual=False)
    if variant.normed:
        add_batch_norm(network)
    fit = Fit(network, variant, noisy, firsts)
    score = functools.partial(scores, clean=clean, first=firsts[0])
    facts = {
        "parameters": sum(each.numel() for each in network.parameters()),
        "crop": variant.crop,
        "noise": CLIPPED,
        "seed": SEED,
        "threads": torch.get_num_threads(),
        "device": f"cpu ({platform.machine()})",
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "torchdenoise": VERSION,
    }
    found = [{"step": 0, "readout": name, **score(each)} for name, each in zip((FIRST, TURNS), firsts, strict=True)]
    for step in range(1, variant.until + 1):
        fit.step()
        if step in variant.scored:
            found += [{"step": step, "readout": name, **score(image)} for name, image in fit.readouts().items()]
    seconds = f"{time.perf_counter() - begin:.1f}"
    return [{**row, **facts, "seconds": seconds} for row in found]


class Fit:
    """GRD-Net on its way: steps on the whole picture, and what can be read from it."""

    def __init__(self, network: nn.Module, variant: Variant, noisy: Tensor, firsts: tuple[Tensor, Tensor]) -> None:
        self.network = network
        self.averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
        if variant.muon:
            self.optimizer: Optimizer = Muon(network.named_parameters(), lr=0.005)
            self.schedule = LinearLR(self.optimizer, 1.0, 0.0, STEPS[-1])
        else:
            self.optimizer = torch.optim.Adam(network.parameters(), variant.rate)
            self.schedule = LinearLR(self.optimizer, 1.0, 1.0)
        self.noisy, (self.first, self.turns) = noisy, firsts
        self.shifts = SHIFTS if variant.shifted else SHIFTS[:1]
        self.random = random.Random(SEED)
        self.loss = GRDLoss()
        self.total, self.weight = torch.zeros_like(noisy), 0.0

    def step(self) -> None:
        """Take one step."""
        shift = self.random.choice(self.shifts)
        noisy, first = self.noisy, self.first
        if shift != (0, 0):
            noisy, first = shifted(noisy, shift), shifted(first, shift)
        outputs: list[Tensor] = []

        def recorded(image: Tensor) -> Tensor:
            outputs.append(self.network(image))
            return outputs[-1]

        self.optimizer.zero_grad()
        terms = self.loss(recorded, {"noisy": noisy, "guide": first}, {}, 0.0)
        torch.stack(list(terms.values())).sum().backward()
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        output = outputs[-1].detach()  # of the whole picture, the loss's second pass
        output = output if shift == (0, 0) else shifted_back(output, shift)
        self.total = DECAY * self.total + (1 - DECAY) * output
        self.weight = DECAY * self.weight + 1 - DECAY

    @torch.no_grad()
    def readouts(self) -> dict[str, Tensor]:
        """Return the results of all readouts; batch normalisation stays in training mode, as for one picture."""
        averaged = copy.deepcopy(self.averaged.module).train()
        outputs, weights = self.total / self.weight, averaged(self.noisy)
        return {
            LAST: self.network(self.noisy),
            OUTPUTS: outputs,
            WEIGHTS: weights,
            CELLS: over_shifts(self.network, self.noisy),
            CELLS_WEIGHTS: over_shifts(averaged, self.noisy),
            BOTH: (outputs + self.first) / 2,
            WEIGHTS_FIRST: (weights + self.first) / 2,
            OUTPUTS_TURNS: (outputs + self.turns) / 2,
        }


def shifted(image: Tensor, shift: tuple[int, int]) -> Tensor:
    """Return the image, larger by reflection, with its content moved down and right by ``shift``, into other cells."""
    down, right = shift
    return pad(image, (right, MARGIN - right, down, MARGIN - down), mode="reflect")


def shifted_back(image: Tensor, shift: tuple[int, int]) -> Tensor:
    """Return what lies where ``shifted`` has moved the image."""
    down, right = shift
    return image[..., down : image.shape[-2] - MARGIN + down, right : image.shape[-1] - MARGIN + right]


def over_shifts(network: Callable[[Tensor], Tensor], noisy: Tensor) -> Tensor:
    """Return the mean of the results with the 2x2 cells at their four positions."""
    return torch.stack([shifted_back(network(shifted(noisy, each)), each) for each in SHIFTS]).mean(0)


def add_batch_norm(module: nn.Module) -> None:
    """Put batch normalisation between each convolution and its LeakyReLU, everywhere in a network."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Sequential) and any(isinstance(each, nn.LeakyReLU) for each in child):
            layers: list[nn.Module] = []
            for layer in child:
                if isinstance(layer, nn.LeakyReLU):
                    layers.append(nn.BatchNorm2d(layers[-1].out_channels))
                layers.append(layer)
            setattr(module, name, nn.Sequential(*layers))
        else:
            add_batch_norm(child)


def scores(result: Tensor, clean: Tensor, first: Tensor) -> dict[str, object]:
    """Return PSNR, and root mean squares on the 0-255 scale.

    The error of the means of 2x2 cells (``between_cells``), the rest of the error (``in_cells``; the squares of both
    add up to the mean squared error), the error in the flattest quarter of the clean picture, and the distance from the
    first network's cell means, which both losses ask for.
    """
    result, first = result.clamp(0, 1), first.clamp(0, 1)
    error = result - clean
    coarse = interpolate(cell_mean(error), scale_factor=2.0)
    variance = (local_mean(clean.square(), 5) - local_mean(clean, 5).square()).mean(1, keepdim=True)
    flat = (variance <= variance.quantile(0.25)).expand_as(error)
    figures = {
        "between_cells": coarse,
        "in_cells": error - coarse,
        "flat": error[flat],
        "to_target": cell_mean(result) - cell_mean(first),
    }
    return {
        "psnr": f"{metrics.psnr(result, clean).item():.4f}",
        "first_psnr": f"{metrics.psnr(first, clean).item():.4f}",
        **{name: f"{255 * value.square().mean().sqrt().item():.3f}" for name, value in figures.items()},
    }


TEXT = (
    f"{Variant.crop}x{Variant.crop} centre crops of the same images unless a line says otherwise, `{CLIPPED}`, "
    "float32. One first network for each crop and C serves all second ones: the recipe's in "
    f"{Variant.first_steps} steps, half of its own. GRD-Net sees the whole crop in each step and predicts the image; "
    f"it is {Variant.width} wide. Adam's rate is constant, Muon's falls from 5e-3 linearly to zero at {STEPS[-1]} "
    "steps, also where it is stopped before."
)
FOUND = (
    'Not reproduced under these conditions: that the result of GRD-Net, "obtained directly during the training", is '
    "better than the first network's. Its output is behind on the average of the crops at every step that was scored, "
    "with Adam, with batch normalisation and with Muon; so are its running mean, that of its weights, and the mean "
    "over the four positions of the cells. It is furthest behind on the first crop, the one with the highest PSNR, on "
    "which most variants were tried, and ahead on some others. A lower C makes the first network "
    "weaker, and the pair too.",
    "The last table shows why. The longer the fit, the closer its cell means come to those of the first network, whose "
    "errors they then share: eq. 5 and 6 ask for nothing else. The content of the cells is left to the architecture. "
    "Where the fit is close (Muon, all steps, one crop), this part is worse than the first network's; stopped early, "
    "it is better on some crops, which is not enough.",
    "What gains is not in the paper: the mean of the running mean of GRD-Net's outputs and the first network's own "
    "result, stopped early; readout and step were chosen on the first crop. Two estimates with different errors are "
    "averaged. Eight turns of the first network gain about as much on average, without a second one. What GRD-Net adds "
    "to them is less on the larger crops with a full first network, which are nearer to the paper.",
    "The limits: crops this small, a network this narrow, these numbers of steps, one seed. The paper has 256x256 "
    "pictures and 2.7 M parameters, and does not give the steps.",
)


def section() -> list[str]:
    """Return the part of the page; nothing until a variant is complete."""
    table = {}
    for name, variant in VARIANTS.items():
        mine = [row for row in rows() if row["variant"] == name]
        if len({row["image"] for row in mine}) == variant.crops:
            table[name] = mine
    if not table:
        return []
    one = next(iter(table.values()))[0]
    missing = [name for name in VARIANTS if name not in table]
    ends = {name: str(VARIANTS[name].scored[-1]) for name in table}
    return [
        "## GRD-Net on whole pictures",
        "",
        f"{TEXT} Seed {one['seed']}, {one['threads']} thread on {one['device']}; torch {one['torch']}, lightning "
        f"{one['lightning']}, torchdenoise {one['torchdenoise']}.",
        "",
        *(line for paragraph in FOUND for line in (paragraph, "")),
        "PSNR against the first network's, after the last step, mean over n crops (lowest to highest). *Outputs*: "
        "their running mean; *weights*: the output of their running mean; *cells*: the mean over the four positions "
        "of the cells; *and first*: the mean of that result and the first network's. A dash: not computed. With batch "
        "normalisation, the larger picture that *cells* needs has other statistics."
        + (f" Not run yet: {'; '.join(missing)}." if missing else ""),
        "",
        f"| second network | n | steps | first network | {' | '.join((TURNS, *READOUTS))} |",
        "|---|---|---|---|---|" + "---|" * len(READOUTS),
        *(
            f"| {name} | {VARIANTS[name].crops} | {ends[name]} | {average(at(mine, FIRST, '0'), 'psnr'):.2f} | "
            f"{gains(at(mine, TURNS, '0'))} | "
            f"{' | '.join(gains(at(mine, readout, ends[name])) for readout in READOUTS)} |"
            for name, mine in table.items()
        ),
        "",
        f"Along the way, *{LAST}*; *best*: the highest mean of all readouts and steps, which only somebody with the "
        "clean picture can choose.",
        "",
        f"| second network | {' | '.join(f'{step} steps' for step in STEPS)} | best |",
        "|---|" + "---|" * (len(STEPS) + 1),
        *(f"| {name} | {' | '.join(along(mine))} |" for name, mine in table.items()),
        "",
        "The errors left, root mean squares on the 0-255 scale: of the means of 2x2 cells; inside the cells; in the "
        "flattest quarter of the clean picture, where nearly all of it is noise. The last column is the distance from "
        "the first network's cell means, which eq. 5 and 6 bring to zero.",
        "",
        "| network | n | of cell means | inside cells | flattest quarter | to the target |",
        "|---|---|---|---|---|---|",
        *(
            f"| first network, {one.crop}x{one.crop}, C {one.constant} | {one.crops} | {errors(at(mine, FIRST, '0'))} |"
            for one, mine in {
                (one.crop, one.constant, one.crops): (one, table[name])
                for name, one in VARIANTS.items()
                if name in table
            }.values()
        ),
        *(
            f"| {name}, {readout} | {VARIANTS[name].crops} | {errors(at(mine, readout, ends[name]))} |"
            for name, mine in table.items()
            for readout in (LAST, OUTPUTS, BOTH)
        ),
        "",
    ]


def at(mine: Rows, readout: str, step: str) -> Rows:
    """Return the rows of a readout at a step."""
    return [row for row in mine if (row["readout"], row["step"]) == (readout, step)]


def gain(row: Mapping[str, str]) -> float:
    """Return PSNR against the first network's."""
    return float(row["psnr"]) - float(row["first_psnr"])


def gains(mine: Rows) -> str:
    """Return mean and range of the gains as a cell."""
    if not mine:
        return "-"
    values = [gain(row) for row in mine]
    spread = f" ({min(values):+.2f} to {max(values):+.2f})" if len(values) > 1 else ""
    return f"{mean(values):+.2f}{spread}"


def along(mine: Rows) -> list[str]:
    """Return the mean gains of the last output by step, and the best of all means, as cells."""
    found = {(name, step): at(mine, name, str(step)) for name in READOUTS for step in STEPS}
    means = {key: mean(map(gain, each)) for key, each in found.items() if each}
    (name, step), best = max(means.items(), key=lambda item: item[1])
    last = [f"{means[LAST, step]:+.2f}" if (LAST, step) in means else "-" for step in STEPS]
    return [*last, f"{best:+.2f} ({name}, {step} steps)"]


def errors(mine: Rows) -> str:
    """Return the mean errors as cells."""
    return " | ".join(f"{average(mine, field):.2f}" for field in ("between_cells", "in_cells", "flat", "to_target"))
