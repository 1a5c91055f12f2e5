"""The cocotb side of a recording: give the ports one row a cycle from a file. Runs inside the simulator."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.handle import LogicObject, ValueObjectBase
from cocotb.triggers import RisingEdge

PERIOD = 10
"""Nanoseconds of a clock cycle; edge t rises at PERIOD / 2 + t * PERIOD."""


@cocotb.test()
async def replay(dut: object) -> None:
    """Row t of the file ({port: [value, …]}) is on the ports when edge t rises."""
    rows: dict[str, list[int]] = json.loads(Path(os.environ["TRIPTYCH_REPLAY"]).read_text("utf-8"))
    clock = dut.clk_i  # type: ignore[attr-defined]  # handles are found in the simulator by name
    assert isinstance(clock, LogicObject)
    Clock(clock, PERIOD, unit="ns").start(start_high=False)
    for values in zip(*rows.values(), strict=True):
        for port, value in zip(rows, values, strict=True):
            handle = getattr(dut, port)
            assert isinstance(handle, ValueObjectBase)
            handle.value = value
        await RisingEdge(clock)
