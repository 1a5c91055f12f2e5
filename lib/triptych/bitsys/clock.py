"""The cocotb side of a sweep: drive the clock until the harness says that it is done. Runs inside the simulator."""

from __future__ import annotations

import os

import cocotb
from cocotb.clock import Clock
from cocotb.handle import LogicObject
from cocotb.triggers import RisingEdge, with_timeout


@cocotb.test()
async def drive(dut: object) -> None:
    """Clock the harness; fails when it is not done a few cycles after the last vector."""
    clock, done = dut.clk_i, dut.done_o  # type: ignore[attr-defined]  # handles are found in the simulator by name
    assert isinstance(clock, LogicObject)
    cycles = int(os.environ["TRIPTYCH_SWEEP_CYCLES"])
    Clock(clock, 10, unit="ns").start(start_high=False)
    await with_timeout(RisingEdge(done), 10 * (cycles + 10), "ns")
