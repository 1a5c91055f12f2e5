"""A mode code beyond the list, in simulation: it must be answered as the widest width.

Runs inside the simulator; test_bitsys_bad_input.py starts it and reads what the assertion said.
"""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from triptych.bitsys import model

N = int(os.environ["TRIPTYCH_TB_N"])
WIDTHS = tuple(int(width) for width in os.environ["TRIPTYCH_TB_WIDTHS"].split(","))
LATENCY = int(os.environ["TRIPTYCH_TB_LATENCY"])
MAC = os.environ["TRIPTYCH_TB_UNIT"] == "mac"
TOKENS = 100


def answer(a: int, b: int, a_signed: bool, b_signed: bool) -> int:
    """What the widest listed width gives."""
    wanted = (WIDTHS[-1], a_signed, b_signed)
    combination = next(c for c in model.combinations(WIDTHS) if (c.width, c.a_signed, c.b_signed) == wanted)
    return int((model.values if MAC else model.products)(np.array(a), np.array(b), N, combination))


@cocotb.test()
async def acts_as_the_widest(dut: Any) -> None:
    """Every second token has the code beyond the list, between tokens of listed widths; each is a dot product."""
    Clock(dut.clk_i, 10, unit="ns").start(start_high=False)
    dut.rst_ni.value = 0
    for _ in range(LATENCY + 2):
        await RisingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    seen: list[tuple[int, int, int]] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk_i)
            await ReadOnly()
            result = dut.sum_o if MAC else dut.product_o
            seen.append((int(dut.valid_o.value), int(dut.mode_o.value), int(result.value)))

    cocotb.start_soon(watch())
    expected: list[int] = []
    for number in range(TOKENS):
        a, b = random.getrandbits(N), random.getrandbits(N)
        a_signed, b_signed = bool(random.getrandbits(1)), bool(random.getrandbits(1))
        dut.valid_i.value = dut.last_i.value = 1
        dut.a_i.value, dut.b_i.value = a, b
        dut.a_signed_i.value, dut.b_signed_i.value = int(a_signed), int(b_signed)
        dut.mode_i.value = len(WIDTHS) if number % 2 else random.randrange(len(WIDTHS))
        expected.append(answer(a, b, a_signed, b_signed))
        await RisingEdge(dut.clk_i)
    dut.valid_i.value = 0
    for _ in range(LATENCY):
        await RisingEdge(dut.clk_i)
    bits = len(dut.sum_o if MAC else dut.product_o)
    for number in range(1, TOKENS, 2):
        came = seen[number + LATENCY - 1]  # the answer stands right after the edge that is LATENCY after the token's
        due = (1, len(WIDTHS) - 1, expected[number] % (1 << bits))
        assert came == due, f"token {number}: (valid, mode, result) {came}, expected {due}"
