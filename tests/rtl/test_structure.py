"""Registers on every path, paths without one, isolation of channels, what is reset: read off the elaborated netlist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from planting import planted

from triptych.bitsys import cells, structure
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError

SIZES = {4: (1, 2, 4), 8: (1, 2, 4, 8)}
MULTIPLIERS = [Design(n, widths) for n, widths in SIZES.items()]
UNITS = [Design(n, widths, unit="mac") for n, widths in SIZES.items()]
TAG = ("mode_i", "a_signed_i", "b_signed_i")
DATA = ("a_i", "b_i", *TAG)


def named(design: Design) -> str:
    return f"{design.unit} {design.n}"


def lengths(graph: structure.Graph, sources: tuple[str, ...], sink: str) -> dict[str, tuple[int, int]]:
    return {path.source: (path.shortest, path.longest) for path in structure.pipeline(graph, sources, sink)}


@pytest.mark.parametrize("design", MULTIPLIERS, ids=named)
def test_every_path_through_the_multiplier_has_latency_registers(design: Design) -> None:
    graph, due = structure.graph(design), (design.latency, design.latency)
    assert graph.feedback == frozenset(), "a pipeline: nothing lasts"
    assert lengths(graph, tuple(graph.inputs), "product_o") == dict.fromkeys(DATA, due)
    for name in ("last", "mode", "a_signed", "b_signed"):
        assert lengths(graph, tuple(graph.inputs), f"{name}_o") == {f"{name}_i": due}
    assert lengths(graph, ("valid_i",), "valid_o") == {"valid_i": due}


@pytest.mark.parametrize("design", UNITS, ids=named)
def test_every_path_of_a_token_through_the_mac_has_latency_registers(design: Design) -> None:
    graph = structure.graph(design)
    assert graph.feedback == {"u_acc.fresh_q", "u_acc.low_q", "sum_o"}, "only the accumulator lasts"
    alone, due = structure.graph(design, structure.EVERY_TOKEN_LAST), (design.latency, design.latency)
    assert alone.feedback == frozenset()
    assert lengths(alone, DATA, "sum_o") == dict.fromkeys(DATA, due)
    for name in TAG:
        assert lengths(alone, DATA, name.replace("_i", "_o")) == {name: due}
    with pytest.raises(RtlError, match="not a pipeline"):
        graph.spans(graph.inputs["a_i"])


@pytest.mark.parametrize("design", [*MULTIPLIERS, *UNITS], ids=named)
def test_no_combinational_path_through(design: Design) -> None:
    assert structure.graph(design).through() == []


@pytest.mark.parametrize(("n", "width"), [(n, width) for n, widths in SIZES.items() for width in widths])
def test_no_operand_bit_reaches_another_channel(n: int, width: int) -> None:
    assert structure.leaks(Design(n, SIZES[n]), width) == []


@pytest.mark.parametrize("design", [*MULTIPLIERS, *UNITS], ids=named)
def test_reset_is_on_control_only(design: Design) -> None:
    graph = structure.graph(design)
    on_the_way = graph.between("valid_i", "valid_o")
    assert len(on_the_way) >= design.latency
    more = {structure.Bit("u_acc.fresh_q", 0)} if design.unit == "mac" else set[structure.Bit]()
    assert graph.reset() == on_the_way | more
    enabled = {bit.name for bit, register in graph.registers.items() if register.enable}
    assert enabled == (graph.feedback if design.unit == "mac" else set())


@pytest.mark.parametrize("design", MULTIPLIERS, ids=named)
def test_cells_clear_bits_where_a_channel_ends_and_nowhere_else(design: Design) -> None:
    """A bit is cleared on the way to a cell that is active in fewer widths, if it is active in any."""
    graph = structure.graph(design)
    active = [cells.active(design.n, width) for width in design.widths]
    expected: set[str] = set()
    for i in range(design.n):
        for j in range(design.n):
            for name, below, right in (("a", i + 1, j), ("b", i, j + 1)):
                if max(below, right) < design.n:
                    here = sum(bool(one[i, j]) for one in active)
                    there = sum(bool(one[below, right]) for one in active)
                    if 0 < there < here:
                        expected.add(f"u_array.gen_row[{i}].gen_col[{j}].gen_logic.u_pe.{name}_o")
    cleared = {bit.name for bit in graph.cleared()}
    assert {name for name in cleared if name.startswith("u_array.")} == expected
    rest = {re.sub(r"\[\d+\]", "", name) for name in cleared - expected}
    assert rest <= {"mode_o", "u_outgen.carry", "u_outgen.gen_diagonal.gen_inner.carry_q"}, "fences; the code read back"


def test_a_path_too_short_is_found(tmp_path: Path) -> None:
    design = Design(4, SIZES[4], planted(tmp_path, "skew", ".Depth(k + 1)", ".Depth(k == 3 ? 3 : k + 1)"))
    assert lengths(structure.graph(design), ("a_i", "b_i"), "product_o") == dict.fromkeys(("a_i", "b_i"), (8, 9))


def test_a_sign_that_comes_early_in_the_mac_is_found(tmp_path: Path) -> None:
    rtl = planted(tmp_path, "reduce", "is_signed[k+1] = signed_q", "is_signed[k+1] = is_signed[k]")
    alone = structure.graph(Design(4, SIZES[4], rtl, unit="mac"), structure.EVERY_TOKEN_LAST)
    assert lengths(alone, ("a_signed_i",), "sum_o") == {"a_signed_i": (12, 13)}


def test_a_path_without_a_register_is_found(tmp_path: Path) -> None:
    rtl = planted(tmp_path, "tag", ".Depth(Latency)", ".Depth(0)")
    through = structure.graph(Design(4, SIZES[4], rtl)).through()
    assert through == [(structure.Bit("last_i", 0), structure.Bit("last_o", 0))]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pe", "a_q <= 1'b0", "a_q <= a_i"),
        ("outgen", "if (fence) carry_q <= '0", "if (fence) carry_q <= NextW'(sum >> 1)"),
    ],
    ids=["cell", "fence"],
)
def test_a_leak_between_channels_is_found(file: str, old: str, new: str, tmp_path: Path) -> None:
    design = Design(4, SIZES[4], planted(tmp_path, file, old, new))
    found = structure.leaks(design, 2)
    assert found and all(leak.operand.place // 2 != leak.result.place // 4 for leak in found)
    assert structure.leaks(design, 4) == [], "one channel has no other to leak into"


def test_a_missing_and_a_needless_reset_are_found(tmp_path: Path) -> None:
    missing = planted(tmp_path / "1", "tag", "if (!rst_ni) valid_q <= '0", "if (1'b0) valid_q <= '0")
    graph = structure.graph(Design(4, SIZES[4], missing))
    assert graph.reset() == frozenset() and graph.between("valid_i", "valid_o")
    needless = planted(tmp_path / "2", "reduce", "word_q <= merged", "word_q <= rst_ni ? merged : '0")
    graph = structure.graph(Design(4, SIZES[4], needless, unit="mac"))
    assert len(graph.reset() - graph.between("valid_i", "valid_o")) > 8


def test_what_the_reader_does_not_know_is_refused() -> None:
    with pytest.raises(RtlError, match="Times is not known here"):
        structure.parse("module m(a, b);\n input a;\n output b;\n wire a;\n wire b;\n assign b = a * a;\nendmodule\n")


def test_the_reader_follows_wires_registers_enables_and_clears() -> None:
    graph = structure.parse(
        "module m(clk_i, a, en, c, q);\n input clk_i;\n wire clk_i;\n input [1:0] a;\n wire [1:0] a;\n input en;\n"
        " wire en;\n input c;\n wire c;\n output [1:0] q;\n wire [1:0] q;\n wire x;\n reg \\q_reg[0] ;\n"
        " assign x = a[0] & a[1];\n"
        " always @(posedge clk_i)\n  if (!c) \\q_reg[0] <= 1'h1;\n  else if (en) \\q_reg[0] <= x;\n"
        " assign q = { a[1], \\q_reg[0] };\nendmodule\n"
    )
    register = graph.registers[structure.Bit("q", 0)]
    assert register.value == 1
    assert {bit.name for bit in register.enable} == {"en"} and {bit.name for bit in register.clear} == {"c"}
    assert graph.before[register.bit] == {*graph.inputs["a"], *graph.inputs["en"], *graph.inputs["c"], register.bit}
    assert graph.through() == [(structure.Bit("a", 1), structure.Bit("q", 1))]
    assert graph.feedback == {"q"}


RIVALS = [Design(n, widths, kind=kind) for kind in ("mtree", "bitshift", "fixed") for n, widths in SIZES.items()]


@pytest.mark.parametrize("design", RIVALS, ids=lambda design: f"{design.kind} {design.n}")
def test_the_rivals_keep_the_same_rule_for_registers(design: Design) -> None:
    """As many registers on every path as the latency says, none of them reset but those of `valid`.

    Bit-serial is left out: its token goes round. Channels of the rivals are kept apart by arithmetic, which the
    exhaustive simulation sees and a search for paths does not.
    """
    graph, due = structure.graph(design), (design.latency, design.latency)
    assert graph.feedback == frozenset()
    assert graph.through() == []
    assert lengths(graph, tuple(graph.inputs), "product_o") == dict.fromkeys(DATA, due)
    assert lengths(graph, ("valid_i",), "valid_o") == {"valid_i": due}
    assert graph.reset() == graph.between("valid_i", "valid_o")


def test_no_input_of_the_serial_rival_reaches_an_output_within_a_cycle() -> None:
    assert structure.graph(Design(4, (1, 2, 4), kind="bitserial")).through() == []
