"""What can be said of a design from its wires alone: registers on every path, who reaches whom, what is reset.

yosys elaborates the design down to gates of one bit, pyverilog reads the netlist it writes, and a small graph of bits
answers: an edge says that a bit may depend on another. A dependency that logic cancels counts as one, so what is found
unreachable is unreachable for certain.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pyverilog.vparser import ast
from pyverilog.vparser.parser import VerilogParser
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from triptych.bitsys import builds, synthesise
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError

EVERY_TOKEN_LAST = {"rst_ni": 1, "valid_i": 1, "last_i": 1}
"""Inputs to hold so that a multiply-accumulate unit keeps nothing from one token to the next: it becomes a pipeline."""


class Bit(NamedTuple):
    """One bit of a wire, register or port, by its name in the flattened design."""

    name: str
    place: int

    def __str__(self) -> str:
        return f"{self.name}[{self.place}]"


@dataclass(frozen=True)
class Register:
    """A flip-flop. Each set holds the bits that an expression names, before wires are followed.

    `data` is what it takes, `enable` what decides whether it changes, `clear` what sets it to the constant `value`
    (synchronously); an empty set where there is no such thing.
    """

    bit: Bit
    data: frozenset[Bit]
    enable: frozenset[Bit]
    clear: frozenset[Bit]
    value: int | None

    @property
    def needs(self) -> frozenset[Bit]:
        """Everything that its next value depends on: its own, if it may keep it."""
        return self.data | self.enable | self.clear | (frozenset({self.bit}) if self.enable else frozenset())


class Span(NamedTuple):
    """Fewest and most registers on the paths from a set of bits to one bit."""

    shortest: int
    longest: int


@dataclass(frozen=True)
class Graph:
    """A flattened design: ports (lowest bit first), what each wire bit is made of, and the registers."""

    inputs: Mapping[str, Sequence[Bit]]
    outputs: Mapping[str, Sequence[Bit]]
    wires: Mapping[Bit, frozenset[Bit]]
    registers: Mapping[Bit, Register]

    def leaves(self, bits: Iterable[Bit]) -> frozenset[Bit]:
        """Inputs and registers that the bits depend on within one cycle. A register depends on itself only."""
        found: set[Bit] = set()
        seen: set[Bit] = set()
        todo = list(bits)
        while todo:
            bit = todo.pop()
            if bit in seen:
                continue
            seen.add(bit)
            if bit in self.registers or bit not in self.wires:
                found.add(bit)
            else:
                todo.extend(self.wires[bit])
        return frozenset(found)

    @cached_property
    def before(self) -> dict[Bit, frozenset[Bit]]:
        """For each register, the inputs and registers that its next value depends on, the clock left out."""
        return {bit: self.leaves(register.needs) for bit, register in self.registers.items()}

    @cached_property
    def output_leaves(self) -> dict[Bit, frozenset[Bit]]:
        """For each output bit, the inputs and registers that it depends on within the cycle."""
        return {bit: self.leaves([bit]) for port in self.outputs.values() for bit in port}

    def through(self) -> list[tuple[Bit, Bit]]:
        """Pairs of an input and an output bit with no register between them."""
        ports = {bit for port in self.inputs.values() for bit in port}
        return sorted((source, sink) for sink, leaves in self.output_leaves.items() for source in leaves & ports)

    @cached_property
    def feedback(self) -> frozenset[str]:
        """Names of registers with a bit that depends, at once or later, on itself: state that lasts."""
        order = sorted(self.registers)
        number = {bit: position for position, bit in enumerate(order)}
        edges = [(number[source], number[sink]) for sink in order for source in self.before[sink] if source in number]
        rows, columns = np.array(edges, np.int64).reshape(-1, 2).T
        matrix = csr_array((np.ones(len(edges), np.int8), (rows, columns)), shape=(len(order), len(order)))
        _, component = connected_components(matrix, connection="strong")
        crowded = np.bincount(component, minlength=len(order))[component] > 1
        loops = {order[source].name for source, sink in edges if source == sink}
        return frozenset(loops | {order[position].name for position in np.flatnonzero(crowded)})

    def spans(self, sources: Iterable[Bit]) -> dict[Bit, Span]:
        """For each output bit that the sources reach: fewest and most registers on the way.

        Raises RtlError when there is `feedback`, where "most" has no meaning.
        """
        try:
            order = list(TopologicalSorter(self.before).static_order())
        except CycleError as error:
            loop = " → ".join(map(str, error.args[1][:5]))
            raise RtlError(f"not a pipeline, state that lasts: {loop}") from None
        span = {source: Span(0, 0) for source in sources}
        for bit in order:
            if reached := [span[need] for need in self.before.get(bit, ()) if need in span]:
                span[bit] = Span(1 + min(one.shortest for one in reached), 1 + max(one.longest for one in reached))
        found: dict[Bit, Span] = {}
        for bit, leaves in self.output_leaves.items():
            if reached := [span[leaf] for leaf in leaves if leaf in span]:
                found[bit] = Span(min(one.shortest for one in reached), max(one.longest for one in reached))
        return found

    @cached_property
    def after(self) -> dict[Bit, set[Bit]]:
        """For each input and register, the registers and output bits that depend on it at once."""
        users: dict[Bit, set[Bit]] = {}
        for needs in (self.before, self.output_leaves):
            for bit, leaves in needs.items():
                for leaf in leaves - {bit}:
                    users.setdefault(leaf, set()).add(bit)
        return users

    def reach(self, sources: Iterable[Bit]) -> frozenset[Bit]:
        """Output bits that the sources may change, in whatever cycle."""
        return frozenset(_closure(sources, self.after) & self.output_leaves.keys())

    def between(self, source: str, sink: str) -> frozenset[Bit]:
        """Registers on paths from one port to another."""
        down = _closure(self.inputs[source], self.after)
        up = _closure(self.leaves(self.outputs[sink]), self.before)
        return frozenset(down & up & self.registers.keys())

    def reset(self) -> frozenset[Bit]:
        """Registers whose next value depends on rst_ni, at once."""
        reset = Bit("rst_ni", 0)
        return frozenset(bit for bit, needs in self.before.items() if reset in needs)

    def cleared(self) -> frozenset[Bit]:
        """Registers that something other than reset sets to a constant."""
        resets = frozenset({Bit("rst_ni", 0)})
        return frozenset(
            bit for bit, register in self.registers.items() if register.clear and self.leaves(register.clear) != resets
        )


def _closure(start: Iterable[Bit], following: Mapping[Bit, Collection[Bit]]) -> set[Bit]:
    seen: set[Bit] = set()
    todo = list(start)
    while todo:
        bit = todo.pop()
        if bit not in seen:
            seen.add(bit)
            todo.extend(following.get(bit, ()))
    return seen


class PathLength(NamedTuple):
    """Registers on the paths between two ports, over all pairs of their bits that are connected."""

    source: str
    sink: str
    shortest: int
    longest: int


def pipeline(graph: Graph, sources: Iterable[str], sink: str) -> list[PathLength]:
    """How long the paths from each of the ports to the port `sink` are; ports that do not reach it are left out.

    Raises RtlError for a graph with `feedback`. A multiply-accumulate unit has none under `EVERY_TOKEN_LAST`.
    """
    found: list[PathLength] = []
    for source in sources:
        spans = [span for bit, span in graph.spans(graph.inputs[source]).items() if bit in graph.outputs[sink]]
        if spans:
            found.append(
                PathLength(source, sink, min(one.shortest for one in spans), max(one.longest for one in spans))
            )
    return found


class Leak(NamedTuple):
    """An operand bit of one channel that may change a result bit of another."""

    width: int
    operand: Bit
    result: Bit


def leaks(design: Design, width: int) -> list[Leak]:
    """Leaks between channels of a multiplier whose mode is held at one width: none, if channels are isolated.

    The mode is made a constant and the netlist optimised again, through its registers, before it is asked who reaches
    whom. Raises RtlError when some operand bit reaches nothing at all: then there would be nothing to find.
    """
    held = graph(design, {"mode_i": design.widths.index(width)})
    found: list[Leak] = []
    for name in ("a_i", "b_i"):
        for operand in held.inputs[name]:
            reached = held.reach([operand])
            if not reached:
                raise RtlError(f"{operand} reaches no result bit at width {width}")
            channel = operand.place // width
            found += [
                Leak(width, operand, result)
                for result in sorted(reached)
                if result.name == "product_o" and result.place // (2 * width) != channel
            ]
    return found


def graph(design: Design, hold: Mapping[str, int] | None = None) -> Graph:
    """The design as a graph of bits, optimised under the assumption that the inputs in `hold` never change.

    Raises ToolMissing without pyosys, RtlError when yosys refuses the design.
    """
    widths = {"mode_i": max(1, (len(design.widths) - 1).bit_length())}
    constant: list[str] = []
    for name, value in (hold or {}).items():
        constant += [f"delete -input w:{name}", f"connect -set {name} {widths.get(name, 1)}'d{value}"]
    commands = [
        synthesise.elaborate(design),
        f"hierarchy -top {design.top}",
        "proc",
        "flatten",
        *constant,
        "opt -full",
        "techmap",
        "opt -full",
        "clean -purge",
        "write_verilog -noattr -simple-lhs netlist.v",
    ]
    facts = {"commands": commands[1:], "parameters": design.parameters, "pyosys": synthesise.version()}

    def make(folder: Path) -> None:
        synthesise.run(commands, folder, design)

    folder = builds.once("structure", builds.key(design.sources, facts), make)
    return parse((folder / "netlist.v").read_text("utf-8"))


def parse(verilog: str) -> Graph:
    """Read a flat netlist of one module as yosys writes it: declarations, `assign`, one register an `always`.

    Raises RtlError for anything else, rather than leave out an edge.
    """
    return _Reader(_parser().parse(verilog)).graph()


@cache
def _parser() -> VerilogParser:
    # It computes its tables anew each time, and writes them down wherever it is told to.
    with tempfile.TemporaryDirectory(prefix="triptych-pyverilog-") as scratch:
        return VerilogParser(outputdir=scratch, debug=False)


_SPLIT = re.compile(r"(.*)_reg\[(\d+)\]")


class _Reader:
    """pyverilog's syntax tree as a graph."""

    def __init__(self, source: Any) -> None:
        (module,) = source.description.definitions
        self.items = module.items
        self.widths: dict[str, int] = {}
        self.inputs: dict[str, list[Bit]] = {}
        self.outputs: dict[str, list[Bit]] = {}
        self.wires: dict[Bit, frozenset[Bit]] = {}
        self.registers: dict[Bit, Register] = {}

    def graph(self) -> Graph:
        for item in self.items:
            if isinstance(item, ast.Decl):
                for one in item.list:
                    self._declare(one)
        for item in self.items:
            if isinstance(item, ast.Assign):
                self._assign(item)
            elif isinstance(item, ast.Always):
                self._always(item)
            elif not isinstance(item, ast.Decl):
                raise RtlError(f"line {item.lineno} of the netlist: {type(item).__name__} is not known here")
        return Graph(self.inputs, self.outputs, self.wires, self.registers)

    def _declare(self, one: Any) -> None:
        name = _name(one.name)
        width = 1 if one.width is None else int(one.width.msb.value) - int(one.width.lsb.value) + 1
        self.widths[name] = width
        bits = [Bit(name, index) for index in range(width)]
        if isinstance(one, ast.Input):
            self.inputs[name] = bits
        elif isinstance(one, ast.Output):
            self.outputs[name] = bits

    def _assign(self, item: Any) -> None:
        left, right = self._targets(item.left.var), self._bits(item.right.var)
        for target, needs in zip(left, right[: len(left)], strict=True):
            self.wires[target] = needs

    def _always(self, item: Any) -> None:
        enable: frozenset[Bit] = frozenset()
        clear: frozenset[Bit] = frozenset()
        constant: Any = None
        statement = item.statement
        while isinstance(statement, ast.IfStatement):
            condition = frozenset[Bit]().union(*self._bits(statement.cond))
            if statement.false_statement is None:
                enable |= condition
                statement = statement.true_statement
            elif isinstance(statement.true_statement, ast.NonblockingSubstitution) and constant is None:
                clear, constant = condition, statement.true_statement.right.var
                statement = statement.false_statement
            else:
                raise RtlError(f"line {item.lineno} of the netlist: not a register as yosys writes them")
        if not isinstance(statement, ast.NonblockingSubstitution):
            raise RtlError(f"line {item.lineno} of the netlist: not a register as yosys writes them")
        targets, data = self._targets(statement.left.var), self._bits(statement.right.var)
        value = None if constant is None else _constant(constant)[1]
        for target, needs in zip(targets, data[: len(targets)], strict=True):
            bit = None if value is None else value >> (target.place - targets[0].place) & 1
            self.registers[target] = Register(target, needs, enable, clear, bit)

    def _targets(self, node: Any) -> list[Bit]:
        """Bits of the left side, lowest first."""
        bits: list[Bit] = []
        for needs in self._bits(node):
            (bit,) = needs
            bits.append(bit)
        return bits

    def _bits(self, node: Any) -> list[frozenset[Bit]]:
        """For each bit of an expression, lowest first, the bits that it depends on."""
        match node:
            case ast.Identifier():
                return [frozenset({self._bit(node.name, index)}) for index in range(self.widths[_name(node.name)])]
            case ast.Pointer():
                return [frozenset({self._bit(node.var.name, int(node.ptr.value))})]
            case ast.Partselect():
                span = range(int(node.lsb.value), int(node.msb.value) + 1)
                return [frozenset({self._bit(node.var.name, index)}) for index in span]
            case ast.IntConst():
                return [frozenset()] * _constant(node)[0]
            case ast.Concat() | ast.LConcat():
                return [needs for part in reversed(node.list) for needs in self._bits(part)]
            case ast.Repeat():
                return self._bits(node.value) * int(node.times.value)
            case ast.Unot():
                return self._bits(node.right)
            case ast.And() | ast.Or() | ast.Xor() | ast.Xnor():
                return [x | y for x, y in zip(self._bits(node.left), self._bits(node.right), strict=True)]
            case ast.Cond():
                chosen = frozenset[Bit]().union(*self._bits(node.cond))
                either = zip(self._bits(node.true_value), self._bits(node.false_value), strict=True)
                return [chosen | x | y for x, y in either]
            case ast.Ulnot() | ast.Uor() | ast.Uand() | ast.Uxor():
                return [frozenset[Bit]().union(*self._bits(node.right))]
            case _:
                raise RtlError(f"line {node.lineno} of the netlist: {type(node).__name__} is not known here")

    def _bit(self, name: str, index: int) -> Bit:
        """A bit by its own name: yosys writes register q_reg[3] where it splits q."""
        split = _SPLIT.fullmatch(_name(name))
        return Bit(split[1], int(split[2])) if split else Bit(_name(name), index)


def _name(text: str) -> str:
    """Without the backslash and blank of an escaped identifier."""
    return text.removeprefix("\\").strip()


def _constant(node: Any) -> tuple[int, int]:
    """Width and value of a sized constant such as 4'h9; digits that are x count as 0."""
    width, _, digits = node.value.partition("'")
    base = {"h": 16, "d": 10, "b": 2, "o": 8}[digits[0]]
    return int(width), int(re.sub("[xz?]", "0", digits[1:]), base)
