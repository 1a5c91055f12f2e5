"""The multiply-accumulate unit under cocotb: source and sink of the multiplier's test bench, dot products judged.

Runs inside the simulator; test_bitsys_mac.py starts it.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from tb_bitsys_mul import COMBINATIONS, TB, WIDTHS, N, Token, scattered

from triptych.bitsys import model

LATENCY = int(os.environ["TRIPTYCH_TB_LATENCY"])
ACC_WIDTH = int(os.environ["TRIPTYCH_TB_ACC_WIDTH"])


def value(token: Token) -> int:
    """What the token adds."""
    return int(model.values(np.array(token.a), np.array(token.b), N, token.combination))


class MacTB(TB):
    """As the multiplier's, but every dot product gives one sum, and a reset forgets the one begun."""

    outputs = ("sum_o", "mode_o", "a_signed_o", "b_signed_o")
    latency = LATENCY

    def __init__(self, dut: Any, idle: Iterator[bool] | None = None) -> None:
        super().__init__(dut, idle)
        self.resets: list[int] = []

    async def reset_one_cycle(self) -> None:
        self.dut.rst_ni.value = 0
        self.resets.append(self.source.cycle)
        await RisingEdge(self.dut.clk_i)
        self.source.cycle += 1
        self.dut.rst_ni.value = 1

    def expected(self) -> list[tuple[int, ...]]:
        """The row of each dot product that no reset hits before it is out: cycle, sum, mode, signs."""
        rows: list[tuple[int, ...]] = []
        total, before = 0, 0
        for entered, token in self.source.sent:
            if any(before <= cycle < entered for cycle in self.resets):
                total = 0
            total, before = total + value(token), entered
            if token.last:
                due = entered + LATENCY
                if not any(entered <= cycle < due for cycle in self.resets):
                    signs = (token.combination.a_signed, token.combination.b_signed)
                    rows.append((due, total % (1 << ACC_WIDTH), token.mode, *signs))
                total = 0
        return rows

    def check(self) -> int:
        """Every dot product came out once, in order, on time and right, and nothing else did. Returns how many."""
        expected, received = self.expected(), list(self.sink.received)
        for number, (due, came) in enumerate(zip(expected, received, strict=False)):
            assert came == due, f"dot product {number}: (cycle, sum, mode, signs) {came}, expected {due}"
        assert len(received) == len(expected), f"{len(expected)} dot products, {len(received)} sums"
        return len(received)


def dot_products(count: int, longest: int = 12) -> Iterator[Token]:
    """Dot products of 1 to `longest` tokens, every token in a mode and signs of its own."""
    for _ in range(count):
        length = random.randint(1, longest)
        for place, token in enumerate(scattered(length)):
            yield replace(token, last=place == length - 1)


@cocotb.test(skip=N != 4)
async def exhaustive_single_tokens(dut: Any) -> None:
    """All operand pairs in every mode and sign combination, each a dot product of its own: the reduction alone."""
    tb = MacTB(dut)
    await tb.reset()
    pairs = itertools.product(COMBINATIONS, range(1 << N), range(1 << N))
    await tb.source.send(Token(a, b, combination, last=True) for combination, a, b in pairs)
    await tb.drain()
    assert tb.check() == len(COMBINATIONS) << 2 * N


@cocotb.test()
async def back_to_back(dut: Any) -> None:
    """Dot products of random length, one token included, without a bubble; mode and signs random on every cycle."""
    tb = MacTB(dut)
    await tb.reset()
    await tb.source.send(dot_products(500))
    await tb.drain()
    assert tb.check() == 500
    lasts = [token.last for _, token in tb.source.sent]
    assert (True, True) in itertools.pairwise(lasts), "no dot product of one token followed another"
    switches = set(itertools.pairwise(token.mode for _, token in tb.source.sent))
    assert len(switches) == len(WIDTHS) ** 2, "some transition between modes was never tried"


@cocotb.test()
async def random_gaps(dut: Any) -> None:
    """Tokens come irregularly; between them operands and `last` carry garbage."""
    tb = MacTB(dut, idle=iter(lambda: random.random() < 0.4, None))
    await tb.reset()
    await tb.source.send(dot_products(300))
    await tb.drain()
    assert tb.check() == 300


@cocotb.test(skip=ACC_WIDTH > 12)
async def wraps(dut: Any) -> None:
    """Past both ends of the accumulator it goes on modulo 2^ACC_WIDTH."""
    tb = MacTB(dut)
    await tb.reset()
    top = (1 << N) - 1
    plain = next(c for c in COMBINATIONS if c.width == N and (c.a, c.b) == ("unsigned", "unsigned"))
    mixed = next(c for c in COMBINATIONS if c.width == N and (c.a, c.b) == ("unsigned", "signed"))
    largest, smallest = Token(top, top, plain), Token(top, 1 << (N - 1), mixed)
    length = 3 * (1 << ACC_WIDTH) // abs(value(smallest))
    for token in (largest, smallest):
        await tb.source.send([token] * length + [replace(token, last=True)])
        assert abs(value(token)) * (length + 1) > 2 << ACC_WIDTH
    await tb.drain()
    assert tb.check() == 2


@cocotb.test()
async def reset_in_traffic(dut: Any) -> None:
    """A reset of one cycle kills what is in flight and the dot product begun; the next token starts another."""
    tb = MacTB(dut)
    await tb.reset()
    for before in (1, 2, LATENCY - 2, LATENCY - 1, LATENCY, LATENCY + 1, LATENCY + 2, 3 * LATENCY):
        await tb.source.send(itertools.islice(dot_products(before), before))
        await tb.reset_one_cycle()
    await tb.source.send(dot_products(2 * LATENCY))
    await tb.drain()
    sums = tb.check()
    closed = sum(token.last for _, token in tb.source.sent)
    assert 2 * LATENCY < sums < closed, "some dot products must have been killed and some not"
