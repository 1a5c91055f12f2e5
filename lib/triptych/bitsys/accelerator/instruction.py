"""The instruction word: one a layer, the same for both dataflows.

In the RTL it is `instruction_t` in rtl/accelerators/accelerators_pkg.sv.

A word is its fields one after another, the first one highest, so that a packed struct reads it. Loops, outermost first:
column tiles (weights are loaded once for each), position tiles, tokens. All addresses are in words of an activation
memory (containers), modulo 2^24, unless they say lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from triptych.errors import ParameterError

THRESHOLD, SCALE, RAW = 0, 1, 2
"""What becomes of a sum: values of `operation`."""


def _bits(count: int) -> Any:
    return field(metadata={"bits": count})


@dataclass(frozen=True)
class Instruction:
    """A layer as the machine runs it.

    `wait`: begin when all earlier results are written. `source`, `target`: activation memory, 0 or 1. `operation`:
    threshold, scale or raw. `mode`, `a_signed`, `b_signed`: of every token. `out_log2`: log2 of the bits of a result;
    `out_signed`: results are two's complement. `shift`: of scale.

    Token loop: `words` containers of a pixel, `kernel_w` pixels, `kernel_h` rows; `step_x`, `step_y` lead from the last
    word of a pixel to the first of the next one in the row, in the next row. `tokens` is their product, `gap` the idle
    cycles after a tile too short for the drain.

    Positions, innermost first: pool × pool of a window, `out_w` × `out_h` windows, `images`; `move_…` leads from the
    last position of a level's inner loops to the next one of the level. `origin`: word of the first position's first
    pixel, outside the map where there is padding. `stride`, `back` = (pool - 1) × stride and `pad` do the same to its
    coordinates; what lies outside `in_h` × `in_w` is read as 0.

    `column_tiles`, `position_tiles`; `last_rows`, `last_columns`: positions and outputs of the last tile of each;
    `last_channels`: values in the last word of a pixel.

    Results: output channels in groups of `columns`, `groups` of them; a pixel takes `out_lines` lines. `window` =
    pool × pool; a position tile moves the line by `tile_lines`, once in `window_tiles` tiles, and starts `tile_top`
    lines up (its last position comes first). `table`: line of the first group's thresholds.
    """

    wait: int = _bits(1)
    source: int = _bits(1)
    target: int = _bits(1)
    operation: int = _bits(2)
    mode: int = _bits(3)
    a_signed: int = _bits(1)
    b_signed: int = _bits(1)
    out_log2: int = _bits(3)
    out_signed: int = _bits(1)
    shift: int = _bits(6)
    words: int = _bits(16)
    kernel_w: int = _bits(10)
    kernel_h: int = _bits(10)
    step_x: int = _bits(24)
    step_y: int = _bits(24)
    tokens: int = _bits(20)
    gap: int = _bits(8)
    pool: int = _bits(4)
    out_w: int = _bits(12)
    out_h: int = _bits(12)
    images: int = _bits(16)
    origin: int = _bits(24)
    move_dx: int = _bits(24)
    move_dy: int = _bits(24)
    move_x: int = _bits(24)
    move_y: int = _bits(24)
    move_image: int = _bits(24)
    stride: int = _bits(4)
    back: int = _bits(8)
    pad: int = _bits(4)
    in_w: int = _bits(12)
    in_h: int = _bits(12)
    column_tiles: int = _bits(16)
    position_tiles: int = _bits(24)
    last_rows: int = _bits(8)
    last_columns: int = _bits(16)
    last_channels: int = _bits(5)
    groups: int = _bits(16)
    out_lines: int = _bits(16)
    window: int = _bits(5)
    window_tiles: int = _bits(5)
    tile_lines: int = _bits(20)
    tile_top: int = _bits(20)
    table: int = _bits(16)

    def __post_init__(self) -> None:
        for name, bits in WIDTHS.items():
            if not 0 <= getattr(self, name) < 1 << bits:
                raise ParameterError(f"{name} = {getattr(self, name)} does not fit the {bits} bits of an instruction")

    def encode(self) -> int:
        """The word, BITS bits."""
        word = 0
        for name, bits in WIDTHS.items():
            word = word << bits | getattr(self, name)
        return word

    @classmethod
    def decode(cls, word: int) -> Instruction:
        """What `encode` wrote. Raises ParameterError for a number of more than BITS bits."""
        if not 0 <= word < 1 << BITS:
            raise ParameterError(f"an instruction has {BITS} bits")
        values: dict[str, int] = {}
        for name, bits in reversed(WIDTHS.items()):
            values[name] = word & ((1 << bits) - 1)
            word >>= bits
        return cls(**values)


WIDTHS: dict[str, int] = {one.name: one.metadata["bits"] for one in fields(Instruction)}
"""Bits of each field, highest first."""

BITS = sum(WIDTHS.values())
"""Bits of a word."""
