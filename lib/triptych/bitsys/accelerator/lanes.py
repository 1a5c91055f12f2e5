"""A multiply-accumulate unit as C++ that computes many units at once, each in a bit of a machine word.

Verilator evaluates a unit of a few hundred gates and registers bit by bit, 256 times a cycle in a 16 × 16 array. Here
yosys maps the unit's RTL to gates, and each gate becomes one operation on words of 256 bits: all units of the array
for little more than the cost of one. Everything around the units stays RTL in Verilator (rtl/sim/lanes).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from triptych import paths
from triptych.bitsys import synthesise
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.design import KINDS, needed
from triptych.bitsys.netlist import Bit, Cell, Module
from triptych.bitsys.tools import RtlError

TOP = "mac_of_kind"

FLOW = (
    f"synth -flatten -noabc -top {TOP}",
    "dfflegalize -cell $_DFF_P_ x",
    "abc -g AND,NAND,OR,NOR,XOR,XNOR,ANDNOT,ORNOT,MUX",
    "opt_clean -purge",
    "check -assert",
)
"""Gates of two inputs, multiplexers, and registers with neither reset nor enable."""

_GATES = {
    "$_BUF_": "{A}",
    "$_NOT_": "~{A}",
    "$_AND_": "{A} & {B}",
    "$_NAND_": "~({A} & {B})",
    "$_OR_": "{A} | {B}",
    "$_NOR_": "~({A} | {B})",
    "$_XOR_": "{A} ^ {B}",
    "$_XNOR_": "~({A} ^ {B})",
    "$_ANDNOT_": "{A} & ~{B}",
    "$_ORNOT_": "{A} | ~{B}",
    "$_MUX_": "{A} ^ ({S} & ({A} ^ {B}))",
}

_INPUTS = ("rst_ni", "a_i", "b_i", "b_signed_i", "a_signed_i", "last_i", "valid_i", "mode_i")
_OUTPUTS = ("valid_o", "a_signed_o", "b_signed_o", "mode_o", "sum_o")
_NAMES = {
    "kReset": "rst_ni",
    "kA": "a_i",
    "kB": "b_i",
    "kTag": "b_signed_i",
    "kMode": "mode_i",
    "kValid": "valid_o",
    "kASigned": "a_signed_o",
    "kBSigned": "b_signed_o",
    "kModeOut": "mode_o",
    "kSum": "sum_o",
}


def sources() -> list[Path]:
    """The RTL of a unit of any kind, packages first."""
    rtl = paths.rtl()
    return needed(TOP, [rtl / "bitsys", rtl / "baselines"])


def header(machine: Machine) -> str:
    """The text of lanes_unit.h for a machine's unit.

    Raises ToolMissing without pyosys, RtlError when yosys refuses the unit or its outputs are no registers that follow
    from the state of the cycle before.
    """
    parameters = {
        "Kind": KINDS.index(machine.kind),
        "N": machine.n,
        "Widths": sum(1 << width for width in machine.widths),
        "AccWidth": machine.acc_width,
    }
    with tempfile.TemporaryDirectory(prefix="triptych-lanes-") as name:
        folder = Path(name)
        passes = [synthesise.read(TOP, parameters, sources()), *FLOW, "write_json unit.json"]
        synthesise.yosys(passes, folder, f"{TOP} with {parameters}")
        text = (folder / "unit.json").read_bytes()
    return translate(netlist(text), f"{TOP} with {parameters}")


def netlist(text: bytes) -> Module:
    """The unit in yosys' JSON."""
    return Module.model_validate(json.loads(text)["modules"][TOP])


def translate(module: Module, what: str) -> str:
    """C++ of a unit of gates: `step` (state and inputs to next state) and `answer` (state to next outputs).

    Raises RtlError for a cell that is no gate of FLOW, and for an output that is not a register or takes an input in
    the very cycle.
    """
    registers: list[Cell] = []
    driver: dict[Bit, Cell] = {}
    for cell in module.cells.values():
        if cell.type == "$scopeinfo":
            continue
        if cell.type == "$_DFF_P_":
            registers.append(cell)
        elif cell.type in _GATES:
            driver[cell.connections["Y"][0]] = cell
        else:
            raise RtlError(f"{what} has a cell {cell.type}, which has no C++")

    known: dict[Bit, str] = {"0": "zero", "1": "ones", "x": "zero"}
    state = {cell.connections["Q"][0]: number for number, cell in enumerate(registers)}
    known |= {bit: f"s[{number}]" for bit, number in state.items()}
    reset = module.ports["rst_ni"].bits[0]

    inputs, places = dict(known), dict[str, int]()
    count = 0
    for port in _INPUTS:
        places[port] = count
        for bit in module.ports[port].bits:
            inputs[bit] = f"in[{count}]"
            count += 1
    step = _Writer(driver, inputs, what)
    stores = [f"  n[{number}] = {step.value(cell.connections['D'][0])};" for number, cell in enumerate(registers)]

    known[reset] = "reset"
    answer = _Writer(driver, known, what)
    outputs: list[str] = []
    for port in _OUTPUTS:
        places[port] = len(outputs)
        for bit in module.ports[port].bits:
            if bit in ("0", "1"):
                outputs.append(f"  out[{len(outputs)}] = {known[bit]};")
                continue
            if bit not in state:
                raise RtlError(f"{what}: {port} does not come straight from a register")
            outputs.append(f"  out[{len(outputs)}] = {answer.value(registers[state[bit]].connections['D'][0])};")

    numbers = {key: places[port] for key, port in _NAMES.items()}
    numbers |= {
        "kRegisters": len(registers),
        "kInputs": count,
        "kOutputs": len(outputs),
        "kModeBits": len(module.ports["mode_i"].bits),
    }
    constants = [f"constexpr unsigned {key} = {number};" for key, number in numbers.items()]
    begin = "  const Word zero = {}, ones = ~zero;\n  (void)ones;"
    return "\n".join(
        [
            *constants,
            "inline void step(const Word* __restrict s, const Word* __restrict in, Word* __restrict n) {",
            begin,
            *step.lines,
            *stores,
            "}",
            "inline void answer(const Word* __restrict s, Word reset, Word* __restrict out) {",
            begin,
            "  (void)reset;",
            *answer.lines,
            *outputs,
            "}",
            "",
        ]
    )


class _Writer:
    """Statements for the gates that values depend on, each gate once and after what it needs."""

    def __init__(self, driver: dict[Bit, Cell], known: dict[Bit, str], what: str) -> None:
        self.lines: list[str] = []
        self._driver = driver
        self._known = dict(known)
        self._what = what

    def value(self, wanted: Bit) -> str:
        """The C++ name of a net's value."""
        waiting = [wanted]
        while waiting:
            bit = waiting[-1]
            if bit in self._known:
                waiting.pop()
                continue
            cell = self._driver.get(bit)
            if cell is None:
                raise RtlError(f"{self._what}: an output follows from an input of the very cycle")
            pins = {pin: bits[0] for pin, bits in cell.connections.items() if pin != "Y"}
            missing = [pin for pin in pins.values() if pin not in self._known]
            if missing:
                waiting += missing
                continue
            words = {pin: self._known[at] for pin, at in pins.items()}
            self._known[bit] = f"w{bit}"
            self.lines.append(f"  const Word w{bit} = {_GATES[cell.type].format(**words)};")
            waiting.pop()
        return self._known[wanted]
