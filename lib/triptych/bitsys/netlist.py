"""A design as the cells of an FPGA and the nets between them: what is placed, routed and simulated at gate level.

yosys maps the design to an ECP5, the one FPGA family with 4-input LUTs, carry chains and open timing data that the
tools of the lock cover. What it writes is reduced to the netlist itself (ports, cells, nets and their names), so that
the bytes, and with them the digest, are the same on every machine and in every folder, and do not follow comments.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from triptych.bitsys import builds, synthesise
from triptych.bitsys.design import Design

FLOW = "synth_ecp5 -nodsp"
"""ECP5, no multiplier blocks. The family has no shift-register LUTs: every delay line is flip-flops."""

Bit = int | str
"""A net by its number, or a constant: "0", "1", "x"."""


class Port(BaseModel):
    """A port of the design: `input` or `output`, and its nets, lowest bit first."""

    direction: str
    bits: list[Bit]


class Cell(BaseModel):
    """A cell: the kind, the settings, which pins are inputs, and the net at each pin."""

    type: str
    parameters: dict[str, str]
    port_directions: dict[str, str]
    connections: dict[str, list[Bit]]


class Module(BaseModel):
    """The one module of a flattened netlist. Net numbers are what matters; names are for people."""

    ports: dict[str, Port]
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Netlist:
    """A netlist on disk: yosys' JSON in canonical form, the name of its one module, and the sha256 of the file."""

    path: Path
    top: str
    digest: str

    @cached_property
    def module(self) -> Module:
        """What the file holds."""
        return Module.model_validate(json.loads(self.path.read_text("utf-8"))["modules"][self.top])

    def counts(self) -> dict[str, int]:
        """Cells by kind."""
        kinds = [cell.type for cell in self.module.cells.values()]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def verilog(self, name: str) -> str:
        """The netlist as a Verilog module in which every net is one wire, `n` and its number.

        There is no second name for a net (ports are assigned), so who counts what the wires do counts each net once.
        Needs the vendor-cell models of pyosys (share/ecp5/cells_sim.v) beside it.
        """
        ports, assigns, cells = list[str](), list[str](), list[str]()
        wires: set[int] = set()

        def net(bit: Bit) -> str:
            if isinstance(bit, int):
                wires.add(bit)
                return f"n{bit}"
            return {"0": "1'b0", "1": "1'b1"}.get(bit, "1'bx")

        for port, one in self.module.ports.items():
            ports.append(f"{one.direction} [{len(one.bits) - 1}:0] {port}")
            for index, bit in enumerate(one.bits):
                ends = (net(bit), f"{port}[{index}]")
                assigns.append("assign {} = {};".format(*(ends if one.direction == "input" else ends[::-1])))
        for number, cell in enumerate(self.module.cells.values()):
            settings = ", ".join(f".{key}({_literal(value)})" for key, value in cell.parameters.items())
            pins = ", ".join(f".{pin}({net(bits[0])})" for pin, bits in cell.connections.items())
            cells.append(f"{cell.type} #({settings}) c{number} ({pins});")
        declared = [f"wire n{wire};" for wire in sorted(wires)]
        return "\n".join([f"module {name} ({', '.join(ports)});", *declared, *assigns, *cells, "endmodule", ""])


def _literal(value: str) -> str:
    """A parameter in yosys' JSON: digits are bits; a text of digits has a blank after it, to tell it apart."""
    if value and set(value) <= set("01"):
        return f"{len(value)}'b{value}"
    return f'"{value.removesuffix(" ")}"' if set(value.rstrip(" ")) <= set("01xz") else f'"{value}"'


def of(design: Design) -> Netlist:
    """The netlist of a design, made when it is not in the cache.

    Raises ToolMissing without pyosys, RtlError with yosys' words when it refuses the design.
    """
    facts = {
        "top": design.top,
        "parameters": design.parameters,
        "flow": FLOW,
        "pyosys": synthesise.version(),
        "form": 1,  # of what `canonical` keeps
    }

    def make(folder: Path) -> None:
        raw = folder / "raw.json"
        synthesise.run(
            [synthesise.elaborate(design), f"{FLOW} -top {design.top}", "check -assert", f"write_json {raw.name}"],
            folder,
            design,
        )
        text = canonical(raw.read_bytes(), design.top)
        (folder / "netlist.json").write_text(text, "utf-8")
        (folder / "digest").write_text(hashlib.sha256(text.encode()).hexdigest(), "utf-8")
        raw.unlink()

    folder = builds.once("ecp5", builds.key(design.sources, facts), make)
    return Netlist(folder / "netlist.json", design.top, (folder / "digest").read_text("utf-8"))


def digest(design: Design) -> str:
    """sha256 (hex) of the design's netlist: equal digests are equal hardware, whatever the sources look like."""
    return of(design).digest


_Json = TypeAdapter(dict[str, Any])


def canonical(text: bytes, top: str) -> str:
    """yosys' JSON reduced to the module `top` without attributes (they hold paths), keys in order."""
    module = _Json.validate_json(text)["modules"][top]
    kept = {
        "attributes": {"top": "1"},
        "ports": module["ports"],
        "cells": {name: {**cell, "attributes": {}} for name, cell in module["cells"].items()},
        "netnames": {name: {**net, "attributes": {}} for name, net in module["netnames"].items()},
    }
    return json.dumps({"modules": {top: kept}}, sort_keys=True, separators=(",", ":"))
