"""What weights cost on their way in: the roofline of each mode, stalls against bandwidth, loading between layers, and
what a change of mode adds to it (nothing).

Bandwidth is W bits a cycle: a port of so many bits, of which a word comes every `throttle` cycles. Everything is the
cycle model of `accelerator.cycles`; `schedule` makes a program for the RTL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from triptych.bitsys import model
from triptych.bitsys.accelerator import cycles
from triptych.bitsys.accelerator.cycles import Supply, predict
from triptych.bitsys.accelerator.layers import Layer, Output, Raw, Scale, Thresholds, value_range
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import Program, assemble
from triptych.bitsys.model import Combination, Ints
from triptych.bitsys.networks import integer, precision, shapes
from triptych.bitsys.networks.integer import Input, Network
from triptych.errors import ParameterError


def layers(network: Network, mix: str) -> tuple[Layer, ...]:
    """The network's layers at the bits of a mix, without meaning: weights are 1. Raises ParameterError for no mix."""
    if not mix.isdigit() or not set(mix) <= set("1248"):  # quantised.parse says the same, and loads torch to do it
        raise ParameterError(f"{mix!r} is no mix", "a digit 1, 2, 4 or 8 for each layer, as in 8421")
    return precision.blank(network, [int(digit) for digit in mix])


def randomised(network: Network, mix: str, rng: np.random.Generator) -> Network:
    """A network of the same shape at the bits of a mix, with random weights, and thresholds that cut its sums on eight
    random inputs into equal shares: what a simulation needs where nothing depends on values."""
    blank = layers(network, mix)
    low, high = value_range(blank[0].width, blank[0].activation)
    first = Input(network.input.shape, float(high - low) / 2, 0.0, low, high)
    x = _drawn(rng, (8, *network.input.shape), low, high, bipolar=blank[0].activation == "bipolar")
    made: list[Layer] = []
    for one, following in zip(blank, [*blank[1:], None], strict=True):
        weights = _drawn(rng, one.weights.shape, *value_range(one.width, one.weight), bipolar=one.weight == "bipolar")
        one = replace(one, weights=weights)
        if following:
            sums = integer.convolve(one, x)
            one = replace(one, output=_cut(sums, one.output))
            x = integer.finish(one, sums, following)
            x = np.maximum.reduce([x[:, i :: one.pool, j :: one.pool] for i, j in np.ndindex(one.pool, one.pool)])
        made.append(one)
    return Network(f"{network.name}-{mix}", first, tuple(made), network.gain, network.offset)


def _cut(sums: Ints, output: Output) -> Output:
    """The output function that spreads these sums (…, outputs) over all of its results."""
    if isinstance(output, Thresholds):
        count = output.values.shape[1]  # noqa: PD011  # of thresholds, no frame
        shares = np.arange(1, count + 1) / (count + 1)
        cuts = np.quantile(sums.reshape(-1, sums.shape[-1]), shares, axis=0).T
        return Thresholds(np.ceil(cuts).astype(np.int64))
    assert isinstance(output, Scale)
    flat = sums.reshape(-1, sums.shape[-1]).astype(np.float64)
    spread = max(1.0, float(flat.std(axis=0).mean()))
    shift = int(np.clip(np.floor(np.log2(32767 * spread / 64)), 0, 47))
    scale = np.full(sums.shape[-1], round(64 / spread * 2**shift))  # 64 codes a standard deviation, two below the mean
    return Scale(np.rint(2 * spread - flat.mean(axis=0)).astype(np.int64), scale, shift)


def _drawn(rng: np.random.Generator, size: tuple[int, ...], low: int, high: int, *, bipolar: bool) -> Ints:
    return 2 * rng.integers(0, 2, size) - 1 if bipolar else rng.integers(low, high + 1, size)


def values(network: Network, count: int, rng: np.random.Generator) -> Ints:
    """Random values (count, height, width, channels) that the network reads."""
    reads, shape = network.input, (count, *network.input.shape)
    return _drawn(rng, shape, reads.low, reads.high, bipolar=network.layers[0].activation == "bipolar")


def roofline(
    networks: Sequence[Network], mixes: Sequence[str], machine: Machine, batches: Sequence[int], supply: Supply
) -> pd.DataFrame:
    """Where each layer stands under the roof of its mode, a row for each network, mix, batch and layer.

    Columns: network, mix, images, layer, width, intensity (multiplications for each bit of weights), rate
    (multiplications a cycle, from the cycle model), roof (the least of all units busy and intensity × W).
    """
    machine = shapes.roomy(machine)
    rows: list[dict[str, object]] = []
    for network in networks:
        for mix in mixes:
            for images in batches:
                program = assemble(machine, layers(network, mix), network.input.shape[:2], images)
                each = predict(machine, program.instructions, supply)
                for number, (one, took) in enumerate(zip(program.instructions, each, strict=True), 1):
                    width = machine.widths[one.mode]
                    intensity = cycles.intensity(machine, one)
                    roof = min(cycles.peak(machine, width), intensity * supply.bits_per_cycle(machine))
                    rows.append(
                        {
                            "network": network.name,
                            "mix": mix,
                            "images": images,
                            "layer": number,
                            "width": width,
                            "intensity": intensity,
                            "rate": took.useful / took.total,
                            "roof": roof,
                        }
                    )
    return pd.DataFrame(rows)


def ridges(machine: Machine, throttles: Sequence[int]) -> pd.DataFrame:
    """The ridge of each mode at each bandwidth. Columns: width, bits a cycle, peak (multiplications a cycle), ridge
    (multiplications for each bit of weights at which loading and computing take equally long)."""
    return pd.DataFrame(
        [
            {
                "width": width,
                "bits": Supply(throttle).bits_per_cycle(machine),
                "peak": cycles.peak(machine, width),
                "ridge": cycles.ridge(machine, width, Supply(throttle)),
            }
            for throttle in throttles
            for width in machine.widths
        ]
    )


def stalls(
    network: Network, mixes: Sequence[str], machine: Machine, throttles: Sequence[int], images: int
) -> pd.DataFrame:
    """Cycles against bandwidth, a row for each mix, bandwidth and way of loading.

    Columns: mix, throttle, bits (W, bits a cycle), prefetch (the next layer's weights come while this one's last
    results leave), cycles and stalled (both of a picture), stalled_share.
    """
    machine = shapes.roomy(machine)
    rows: list[dict[str, object]] = []
    for mix in mixes:
        program = assemble(machine, layers(network, mix), network.input.shape[:2], images)
        for throttle in throttles:
            for prefetch in (False, True):
                supply = Supply(throttle, prefetch)
                each = predict(machine, program.instructions, supply)
                total, stalled = sum(one.total for one in each), sum(one.stalled for one in each)
                rows.append(
                    {
                        "mix": mix,
                        "throttle": throttle,
                        "bits": supply.bits_per_cycle(machine),
                        "prefetch": prefetch,
                        "cycles": total / images,
                        "stalled": stalled / images,
                        "stalled_share": stalled / total,
                    }
                )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Schedule:
    """Tiles of the same tokens one after another without waiting, each in a mode of its own: a program, its images
    (n, 1, 1, tokens), and the sums (n, 1, 1, outputs) that it must give."""

    program: Program
    images: Ints
    sums: Ints


def schedule(machine: Machine, requests: Sequence[Combination], tokens: int, rng: np.random.Generator) -> Schedule:
    """One tile a request, over random containers that each request reads in its own way.

    Raises ParameterError for another machine than a systolic array, as a tile is one position a row, and for more
    tiles than the machine holds instructions.
    """
    if machine.dataflow != "systolic":
        raise ParameterError("a schedule of tiles is for a systolic array")
    if len(requests) > machine.instructions:
        raise ParameterError(f"{len(requests)} tiles; the machine holds {machine.instructions} instructions")
    rows, columns, count = machine.rows, machine.columns, len(requests)
    whole = Layer(
        "", np.zeros((columns, 1, 1, tokens), np.int64), 8, "unsigned", "signed", Raw(np.zeros(columns, np.int64))
    )
    program = assemble(machine, [whole], (1, 1), rows)
    (one,) = program.instructions
    instructions = tuple(
        replace(
            one,
            wait=int(number == 0),
            mode=machine.mode(request.width),
            a_signed=int(request.a_signed),
            b_signed=int(request.b_signed),
            out_lines=count,
            tile_top=(rows - 1) * count + number,  # the last row's line, and each tile's sums after those before it
            groups=count,
        )
        for number, request in enumerate(requests)
    )
    images = rng.integers(0, 256, (rows, 1, 1, tokens))
    weights = [rng.integers(0, 256, (tokens, columns)) for _ in requests]
    sums = [
        model.values(images[:, 0, 0, :, None], b[None], machine.n, request).sum(axis=1)
        for request, b in zip(requests, weights, strict=True)
    ]
    made = replace(
        program,
        instructions=instructions,
        weights=np.concatenate(weights),
        names=("",) * count,
        output=(1, 1, columns * count),
    )
    return Schedule(made, images, np.concatenate(sums, axis=-1)[:, None, None, :])
