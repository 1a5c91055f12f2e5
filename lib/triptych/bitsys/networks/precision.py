"""How many bits each layer deserves: cycles from the cycle model, harm from measurement, the best trade by dynamic
programming.

Harm is taken to add up over layers. That is an assumption, and it is why a chosen mix is trained and measured in the
end. The cycles of a layer depend on its own bits alone when every layer waits for the one before it and loads its own
weights, so their sum is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.layers import Layer, Raw, Scale, Thresholds, value_range
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import assemble
from triptych.bitsys.model import Reading
from triptych.bitsys.networks.integer import Network
from triptych.errors import ParameterError

WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Choice:
    """Bits of each layer, with the sum of their cycles and of their harm."""

    widths: tuple[int, ...]
    cycles: int
    harm: float

    @property
    def mix(self) -> str:
        """As in 8421."""
        return "".join(map(str, self.widths))


def blank(network: Network, widths: Sequence[int]) -> tuple[Layer, ...]:
    """The network's layers with other bits and no meaning: weights are all 1. What counting cycles needs.

    One bit is bipolar, more are unsigned activations times signed weights. Raises ParameterError for another number of
    widths than there are layers.
    """
    if len(widths) != len(network.layers):
        raise ParameterError(f"{len(widths)} widths for {len(network.layers)} layers")
    made: list[Layer] = []
    for index, (layer, width) in enumerate(zip(network.layers, widths, strict=True)):
        one_bit = width == 1
        activation: Reading = "bipolar" if one_bit else "unsigned"
        weight: Reading = "bipolar" if one_bit else "signed"
        output = layer.output
        if not isinstance(output, Raw):
            following = widths[index + 1]
            output = Thresholds(np.zeros((layer.outputs, (1 << min(following, 4)) - 1), np.int64))
            if following == 8:
                zeros = np.zeros(layer.outputs, np.int64)
                output = Scale(zeros, zeros, 0)
        _, high = value_range(width, weight)
        weights = np.full(layer.weights.shape, min(high, 1))
        made.append(replace(layer, weights=weights, width=width, activation=activation, weight=weight, output=output))
    return tuple(made)


def cycles(
    network: Network, machine: Machine, supply: Supply | None = None, images: int = 1, widths: Sequence[int] = WIDTHS
) -> list[dict[int, int]]:
    """Cycles of each layer at each width, for a batch of `images`: {width: cycles} a layer."""
    found: list[dict[int, int]] = [{} for _ in network.layers]
    for width in widths:
        layers = blank(network, [width] * len(network.layers))
        program = assemble(machine, layers, network.input.shape[:2], images)
        for index, one in enumerate(predict(machine, program.instructions, supply)):
            found[index][width] = one.total
    return found


def best(times: Sequence[Mapping[int, int]], harms: Sequence[Mapping[int, float]], budget: int) -> Choice | None:
    """The mix with the least harm within a budget of cycles, by dynamic programming; None when nothing fits.

    Among equal harm the fewest cycles, then the fewest bits from the first layer on. The state after a layer is the
    set of partial mixes of which none is at least as good as another in both cycles and harm (what knapsack over
    cycles would hold, without its empty rows).
    """
    front = frontier(times, harms)
    fitting = [one for one in front if one.cycles <= budget]
    return min(fitting, key=_rank) if fitting else None


def frontier(times: Sequence[Mapping[int, int]], harms: Sequence[Mapping[int, float]]) -> list[Choice]:
    """Every mix that no other one beats in cycles without more harm, by ascending cycles."""
    states = [Choice((), 0, 0.0)]
    for time, harm in zip(times, harms, strict=True):
        longer = [
            Choice((*state.widths, width), state.cycles + time[width], state.harm + harm[width])
            for state in states
            for width in time
        ]
        states = undominated(longer)
    return states


def undominated(choices: Sequence[Choice]) -> list[Choice]:
    """Those that none is at least as good as in both, by ascending cycles; of equal ones the first by widths."""
    kept: list[Choice] = []
    for one in sorted(choices, key=lambda choice: (choice.cycles, choice.harm, choice.widths)):
        if not kept or one.harm < kept[-1].harm:
            kept.append(one)
    return kept


def brute_force(times: Sequence[Mapping[int, int]], harms: Sequence[Mapping[int, float]], budget: int) -> Choice | None:
    """As `best`, by trying every mix: 4^4 of them for TFC."""
    fitting: list[Choice] = []
    for widths in itertools.product(*times):
        total, harm = 0, 0.0
        for time, harmed, width in zip(times, harms, widths, strict=True):
            total, harm = total + time[width], harm + harmed[width]
        if total <= budget:
            fitting.append(Choice(widths, total, harm))
    return min(fitting, key=_rank) if fitting else None


def _rank(choice: Choice) -> tuple[float, int, tuple[int, ...]]:
    return choice.harm, choice.cycles, choice.widths


def sensitivity(trained: pd.DataFrame, kind: str, layers: int = 4) -> list[dict[int, float]]:
    """Harm of each width in each layer: how much the validation loss (nats) rises when that layer alone has fewer than
    8 bits, against 8 bits everywhere with the same seed, mean over the seeds that both were trained with. What measures
    as a gain counts as a gain; 8 bits are 0.

    `trained` is a frame of `trained.gather`. Raises ParameterError that names the mix that is missing.
    """
    mine = trained[trained["kind"] == kind]
    losses: dict[str, dict[int, float]] = {}
    for mix, seed, loss in zip(mine["mix"], mine["seed"], mine["validation_loss"], strict=True):
        losses.setdefault(str(mix), {})[int(seed)] = float(loss)
    full = losses.get("8" * layers, {})
    found: list[dict[int, float]] = []
    for index in range(layers):
        harms: dict[int, float] = {}
        for width in WIDTHS:
            mix = "8" * index + str(width) + "8" * (layers - 1 - index)
            rises = [loss - full[seed] for seed, loss in losses.get(mix, {}).items() if seed in full]
            if not rises:
                raise ParameterError(f"{kind}-{mix} has not been trained, so the harm of {width} bits is not known")
            harms[width] = sum(rises) / len(rises)
        found.append(harms)
    return found


@dataclass(frozen=True)
class Picked:
    """What the dynamic programme makes of measured harms: they, the cycles of each layer at each width, its front, and
    four mixes of it, from the fewest cycles to the least harm.
    """

    harms: list[dict[int, float]]
    times: list[dict[int, int]]
    front: list[Choice]
    mixes: list[str]


def pick(trained: pd.DataFrame, kind: str, network: Network, machine: Machine, images: int) -> Picked:
    """Mixes for a network of the shape of `network` on a machine. Raises as `sensitivity`."""
    harms, times = sensitivity(trained, kind), cycles(network, machine, images=images)
    front = frontier(times, harms)
    mixes = [front[round(i * (len(front) - 1) / 3)].mix for i in range(4)]
    return Picked(harms, times, front, list(dict.fromkeys(mixes)))


def toggles(network: Network, widths: Sequence[int], per_product: Mapping[int, float]) -> float:
    """Relative switching of an image: useful products of each layer times the net toggles of one at its width."""
    return sum(count * per_product[width] for count, width in zip(network.products, widths, strict=True))


def trade(
    summary: pd.DataFrame,
    network: Network,
    times: Sequence[Mapping[int, int]],
    images: int,
    per_product: Mapping[int, float],
    chosen: Sequence[str],
) -> pd.DataFrame:
    """Accuracy, cycles and switching of each mix side by side.

    `summary` as from `draw.summary`, `network` any of this shape, `times` of a batch of `images`. Columns: mix,
    accuracy (percent), cycles and toggles (millions) of a picture, front (no other mix is as good in accuracy and
    cycles), pareto (nor in switching besides; equal to front where switching is not known), chosen.
    """
    rows: list[dict[str, object]] = []
    for mix, accuracy in zip(summary["mix"], summary["accuracy"], strict=True):
        if mix == "float":
            continue
        widths = [int(digit) for digit in str(mix)]
        spent = sum(time[width] for time, width in zip(times, widths, strict=True)) / images
        switched = toggles(network, widths, per_product) / 1e6
        rows.append({"mix": mix, "accuracy": accuracy, "cycles": spent, "toggles": switched, "chosen": mix in chosen})
    table = pd.DataFrame(rows)
    costs = np.stack([-table["accuracy"], table["cycles"], table["toggles"].fillna(0)], axis=1).astype(float)
    return table.assign(front=unbeaten(costs[:, :2]), pareto=unbeaten(costs))


def unbeaten(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which rows of costs (points, objectives) no other row beats: as low everywhere and lower somewhere."""
    no_higher = (costs[:, None] <= costs[None]).all(axis=-1)
    lower = (costs[:, None] < costs[None]).any(axis=-1)
    return np.asarray(~(no_higher & lower).any(axis=0), np.bool_)
