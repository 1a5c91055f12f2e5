"""How many cycles a program takes, from its instructions alone: what the counters in the RTL say, cycle for cycle.

A column tile has its weights loaded once (K tokens × beats a line × throttle cycles) and then computes all position
tiles (each K cycles, at least `rows`, which is how long results take to leave). Loading runs one tile ahead, as the
buffer has two halves, and a token waits for no more than its own line. So a tile ends at the later of two times: that
of its computation if nothing had to wait, and that of its last line plus one. A layer is the sum of its tiles plus the
way of the last token through array and activation function; nothing else is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triptych.bitsys.accelerator.instruction import Instruction
from triptych.bitsys.accelerator.machine import Machine
from triptych.errors import ParameterError

WORD_LATENCY = 5
"""Cycles from the issue of a token to its operands at the first unit."""

FINISH_LATENCY = 11
"""Cycles from the last beat of a layer to the layer's end: activation function, pooling, write."""


@dataclass(frozen=True)
class Supply:
    """How weights come: a word of the port every `throttle` cycles. With `prefetch` those of the next layer are loaded
    while the last results of this one are on their way; without, a layer begins with an empty buffer and its time
    depends on nothing but itself.
    """

    throttle: int = 1
    prefetch: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.throttle <= 1 << 16:
            raise ParameterError(f"throttle = {self.throttle} is not from 1 to {1 << 16}")

    def bits_per_cycle(self, machine: Machine) -> float:
        """Bandwidth of the weight port, bits a cycle."""
        return machine.port_bits / self.throttle


@dataclass(frozen=True)
class Cycles:
    """What a layer takes. Cycles: `busy`, a token is issued; `stalled`, its weights are not there; `gap`, results of a
    tile take longer to leave than the tile took; `fill`, after the last token until the last tile begins to leave;
    `drain`, until the last result is written. Multiplications: `useful` ones of the layer as it is defined, padding of
    the map included; `padded`, what the units could have done in the busy cycles besides.
    """

    busy: int
    stalled: int
    gap: int
    fill: int
    drain: int
    useful: int
    padded: int

    @property
    def total(self) -> int:
        """Cycles of the layer."""
        return self.busy + self.stalled + self.gap + self.fill + self.drain

    @property
    def utilisation(self) -> float:
        """Useful multiplications by those that the units could have done in all cycles of the layer."""
        return self.useful / ((self.useful + self.padded) * self.total / self.busy)


def predict(machine: Machine, instructions: Sequence[Instruction], supply: Supply | None = None) -> list[Cycles]:
    """What each layer of a program takes, for one batch. Of a machine that is cut into bands: in the band that runs it.

    Bands do not wait for one another, so a batch that they begin together takes as long as the slowest of them.
    """
    supply = supply or Supply()
    machine = machine.band
    found: list[Cycles] = []
    start = 0  # when the layer may issue its first token, in cycles since the first one of the batch
    accepted = -supply.throttle  # when the last word of weights was taken
    released = [-1, -1]  # when the last two tiles gave their half of the buffer free
    for number, one in enumerate(instructions):
        opened = 0 if supply.prefetch or not one.wait else start
        beats = one.tokens * machine.beats_per_line
        stalled = 0
        end = start
        for _ in range(one.column_tiles):
            first = max(accepted + supply.throttle, released[0] + 1, opened)
            accepted = first + (beats - 1) * supply.throttle
            unhindered = start + one.tokens - 1
            pass_end = max(unhindered, accepted + 1)
            stalled += pass_end - unhindered
            end = pass_end + (one.position_tiles - 1) * (one.tokens + one.gap)
            released = [released[1], end]
            start = end + one.gap + 1
        fill = drain = 0
        if number + 1 == len(instructions) or instructions[number + 1].wait:
            first_beat = end + beat_latency(machine)
            last_beat = first_beat + machine.rows - 1
            fill = max(0, first_beat - start + 1)
            drain = last_beat + FINISH_LATENCY - max(start - 1, first_beat)
            start = last_beat + FINISH_LATENCY + 1
        tiles = one.column_tiles * one.position_tiles
        useful = useful_multiplications(machine, one)
        slots = one.tokens * tiles * machine.units * channels(machine, one)
        found.append(
            Cycles(
                busy=one.tokens * tiles,
                stalled=stalled,
                gap=one.gap * tiles,
                fill=fill,
                drain=drain,
                useful=useful,
                padded=slots - useful,
            )
        )
    return found


def beat_latency(machine: Machine) -> int:
    """Cycles from a tile's last token to its first beat of results."""
    units = machine.design.latency
    if machine.dataflow == "single_layer":
        return WORD_LATENCY + units + 1
    return WORD_LATENCY + machine.rows - 1 + units + machine.columns


def channels(machine: Machine, one: Instruction) -> int:
    """Multiplications of a token in a unit."""
    return machine.channels(machine.widths[one.mode])


def useful_multiplications(machine: Machine, one: Instruction) -> int:
    """Multiplications of the layer as it is defined, for all images of a batch; what pooling drops is not computed."""
    outputs = (one.column_tiles - 1) * machine.outputs_per_tile + one.last_columns
    positions = (one.position_tiles - 1) * machine.positions_per_tile + one.last_rows
    inputs = (one.words - 1) * channels(machine, one) + one.last_channels
    return outputs * positions * one.kernel_h * one.kernel_w * inputs


def compute_cycles(one: Instruction) -> int:
    """Cycles of a layer if its weights were always there, without the way through array and activation function."""
    return one.column_tiles * one.position_tiles * (one.tokens + one.gap)


def load_cycles(machine: Machine, one: Instruction, supply: Supply) -> int:
    """Cycles that the weights of a layer take over the port."""
    return one.column_tiles * one.tokens * machine.beats_per_line * supply.throttle


def peak(machine: Machine, width: int) -> int:
    """Multiplications a cycle with all units busy: the flat part of the roofline."""
    return machine.units * machine.channels(width)


def intensity(machine: Machine, one: Instruction) -> float:
    """Multiplications for each bit of weights loaded: where on the roofline a layer stands."""
    bits = one.column_tiles * one.tokens * machine.weight_line_bits
    return useful_multiplications(machine, one) / bits


def ridge(machine: Machine, width: int, supply: Supply) -> float:
    """Multiplications a bit at which loading and computing take equally long: the ridge of the roofline of a mode."""
    return peak(machine, width) / supply.bits_per_cycle(machine)
