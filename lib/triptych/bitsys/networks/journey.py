"""A batch on its way through a machine, cycle by cycle: which token is issued when, and what every unit works on.

The times are the cycle model's (`accelerator.cycles`), token by token: a token of a tile's first pass waits for its
own line of weights, every other one follows its predecessor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triptych.bitsys.accelerator.cycles import WORD_LATENCY, Supply, predict
from triptych.bitsys.accelerator.instruction import Instruction
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.model import Ints
from triptych.errors import ParameterError


@dataclass(frozen=True)
class Issues:
    """Tokens in the order in which they are issued, all arrays (tokens,): `cycle` since the batch began, `layer`,
    `column_tile`, `position_tile`, `token` of the dot product."""

    cycle: Ints
    layer: Ints
    column_tile: Ints
    position_tile: Ints
    token: Ints

    def at(self, cycle: int) -> int | None:
        """Index of the token that is issued in a cycle; None when none is."""
        index = int(np.searchsorted(self.cycle, cycle))
        return index if index < len(self.cycle) and int(self.cycle[index]) == cycle else None

    def latest(self, cycle: int) -> int:
        """Index of the last token issued up to a cycle; 0 before the first."""
        return max(0, int(np.searchsorted(self.cycle, cycle, side="right")) - 1)


def issues(machine: Machine, instructions: Sequence[Instruction], supply: Supply | None = None) -> Issues:
    """When each token of a batch is issued. Every layer waits for the one before it and begins with an empty buffer.

    Raises ParameterError for a supply with prefetch, or instructions that do not wait: there layers overlap.
    """
    supply = supply or Supply()
    if supply.prefetch or not all(one.wait for one in instructions):
        raise ParameterError("a journey is told for layers that wait for each other", "prefetch = False")
    starts = layer_starts(machine, instructions, supply)
    found = [_layer(machine.band, one, supply) for one in instructions]
    numbers = np.repeat(np.arange(len(found)), [len(one[0]) for one in found])
    cycle, column_tile, position_tile, token = (np.concatenate([one[part] for one in found]) for part in range(4))
    return Issues(cycle + np.array(starts)[numbers], numbers, column_tile, position_tile, token)


def _layer(machine: Machine, one: Instruction, supply: Supply) -> tuple[Ints, Ints, Ints, Ints]:
    """Cycle since the layer began, column tile, position tile and token of each token issued."""
    tokens = np.arange(one.tokens)
    line = machine.beats_per_line * supply.throttle  # cycles from a line of weights to the next
    start, loaded, released = 0, -supply.throttle, [-1, -1]
    times: list[Ints] = []
    for _ in range(one.column_tiles):
        begun = max(loaded + supply.throttle, released[0] + 1)
        arrived = begun + (machine.beats_per_line - 1) * supply.throttle + line * tokens  # last word of each line
        loaded = int(arrived[-1])
        fresh = np.maximum(start + tokens, arrived + 1)  # lines come no faster than tokens are issued
        passes = int(fresh[-1]) + (one.tokens + one.gap) * np.arange(one.position_tiles)  # last token of each
        later = passes[1:, None] - one.tokens + 1 + tokens
        times += [fresh, later.reshape(-1)]
        released = [released[1], int(passes[-1])]
        start = int(passes[-1]) + one.gap + 1
    passed = one.tokens * one.position_tiles
    return (
        np.concatenate(times),
        np.repeat(np.arange(one.column_tiles), passed),
        np.tile(np.repeat(np.arange(one.position_tiles), one.tokens), one.column_tiles),
        np.tile(tokens, one.column_tiles * one.position_tiles),
    )


def layer_starts(machine: Machine, instructions: Sequence[Instruction], supply: Supply | None = None) -> list[int]:
    """The cycle in which each layer of a batch begins, and the one in which the last has ended."""
    totals = [one.total for one in predict(machine, instructions, supply)]
    return [0, *np.cumsum(totals).tolist()]


def at_work(machine: Machine, found: Issues, cycle: int) -> Ints:
    """Which token every unit multiplies in a cycle, (rows, columns) of indices into `found`; -1 where none.

    In an array a token reaches row r and column c r + c cycles after the first unit; in a bank all units at once.
    """
    rows, columns = np.indices((machine.rows, machine.columns))
    delay = rows + columns if machine.dataflow == "systolic" else np.zeros_like(rows)
    issued = cycle - WORD_LATENCY - delay
    index = np.searchsorted(found.cycle, issued.reshape(-1))
    inside = index < len(found.cycle)
    hit = inside & (found.cycle[np.minimum(index, len(found.cycle) - 1)] == issued.reshape(-1))
    return np.where(hit, index, -1).reshape(machine.rows, machine.columns)
