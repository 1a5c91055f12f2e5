"""A program in words: what each instruction tells the machine, for people. The fields come from the encoded words."""

from __future__ import annotations

from triptych.bitsys.accelerator.instruction import BITS, RAW, SCALE, THRESHOLD, Instruction
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import Program
from triptych.bitsys.model import combinations

_OPERATIONS = {THRESHOLD: "thresholds", SCALE: "scale", RAW: "raw sums"}


def disassemble(word: int, machine: Machine, name: str = "layer") -> str:
    """One instruction word in a few lines. Raises ParameterError for a number that is no word."""
    one = Instruction.decode(word)
    width = machine.widths[one.mode] if one.mode < len(machine.widths) else 0
    readings = [
        f"{each.a} × {each.b}"
        for each in combinations(machine.widths)
        if (each.width, each.a_signed, each.b_signed) == (width, bool(one.a_signed), bool(one.b_signed))
    ]
    result = _OPERATIONS.get(one.operation, f"operation {one.operation}?")
    if one.operation != RAW:
        result += f" to {1 << one.out_log2} bits {'signed' if one.out_signed else 'unsigned'}, table line {one.table}"
    if one.operation == SCALE:
        result += f", shift {one.shift}"
    lines = [
        f"{name}: {width} bits, {' or '.join(readings)}" + (", when all is written" if one.wait else ""),
        f"  read    memory {one.source}, {one.images} × {one.in_h} × {one.in_w} map, padded {one.pad}, from word "
        f"{_signed(one.origin)}",
        f"  tokens  {one.tokens} = {one.kernel_h} × {one.kernel_w} × {one.words}, {one.gap} idle after each tile",
        f"  tiles   {one.column_tiles} of columns × {one.position_tiles} of positions; the last {one.last_columns} "
        f"wide, {one.last_rows} high",
        f"  walk    {one.out_h} × {one.out_w} windows of {one.pool} × {one.pool}, stride {one.stride}",
        f"  result  {result}",
    ]
    if one.operation != RAW:
        lines.append(f"  write   memory {one.target}, {one.groups} groups, {one.out_lines} lines a pixel")
    return "\n".join(lines)


def _signed(address: int) -> int:
    return address - (1 << 24) if address >> 23 else address


def listing(program: Program) -> str:
    """All instructions of a program, each with its word in hexadecimal."""
    digits = -(-BITS // 4)
    parts: list[str] = []
    for number, (name, one) in enumerate(zip(program.names, program.instructions, strict=True)):
        word = one.encode()
        parts.append(f"{number:2d}  {word:0{digits}x}\n{disassemble(word, program.machine, name)}")
    return "\n".join(parts)
