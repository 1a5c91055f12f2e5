"""The multiplier under cocotb: a test bench in the manner of cocotbext-axi, and the tests that use it.

Runs inside the simulator; test_bitsys_mul.py starts it. The parameters come from the environment, because the test
bench cannot read parameters of a compiled module.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from triptych.bitsys import model

N = int(os.environ["TRIPTYCH_TB_N"])
WIDTHS = tuple(int(width) for width in os.environ["TRIPTYCH_TB_WIDTHS"].split(","))
LATENCY = 2 * N + 1
COMBINATIONS = model.combinations(WIDTHS)


@dataclass(frozen=True)
class Token:
    """One pair of containers and how to read it."""

    a: int
    b: int
    combination: model.Combination
    last: bool = False

    @property
    def mode(self) -> int:
        return WIDTHS.index(self.combination.width)

    @property
    def products(self) -> int:
        return int(model.products(np.array(self.a), np.array(self.b), N, self.combination))


class TokenSource:
    """Drives one token a cycle; `idle` yields whether to pause in the coming cycle, with garbage on the operands."""

    def __init__(self, dut: Any, idle: Iterator[bool] | None = None) -> None:
        self.dut, self.idle = dut, idle
        self.sent: deque[tuple[int, Token]] = deque()
        self.cycle = 0

    async def send(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            while self.idle is not None and next(self.idle):
                await self._drive(Token(random.getrandbits(N), random.getrandbits(N), random.choice(COMBINATIONS)), 0)
            await self._drive(token, 1)
        self.dut.valid_i.value = 0

    async def _drive(self, token: Token, valid: int) -> None:
        dut = self.dut
        dut.valid_i.value = valid
        dut.a_i.value, dut.b_i.value, dut.mode_i.value = token.a, token.b, token.mode
        dut.a_signed_i.value, dut.b_signed_i.value = int(token.combination.a_signed), int(token.combination.b_signed)
        dut.last_i.value = int(token.last)
        if valid:
            self.sent.append((self.cycle, token))
        await RisingEdge(dut.clk_i)
        self.cycle += 1


class ResultSink:
    """Samples every cycle and keeps the `outputs` that were valid, with the cycle in which they appeared."""

    def __init__(self, dut: Any, outputs: Sequence[str]) -> None:
        self.dut, self.outputs = dut, outputs
        self.received: deque[tuple[int, ...]] = deque()
        self.task = cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut, cycle = self.dut, 0
        while True:
            await RisingEdge(dut.clk_i)
            await ReadOnly()
            cycle += 1
            if dut.valid_o.value:
                self.received.append((cycle, *(int(getattr(dut, name).value) for name in self.outputs)))


class TB:
    """Clock, reset, source, sink, and the comparison of what went in with what came out."""

    outputs = ("product_o", "mode_o", "a_signed_o", "b_signed_o", "last_o")
    latency = LATENCY

    def __init__(self, dut: Any, idle: Iterator[bool] | None = None) -> None:
        self.dut = dut
        Clock(dut.clk_i, 10, unit="ns").start(start_high=False)
        self.source = TokenSource(dut, idle)

    async def reset(self) -> None:
        dut = self.dut
        dut.rst_ni.value = 0
        dut.valid_i.value = dut.last_i.value = dut.mode_i.value = dut.a_i.value = dut.b_i.value = 0
        dut.a_signed_i.value = dut.b_signed_i.value = 0
        for _ in range(self.latency + 2):
            await RisingEdge(dut.clk_i)
        dut.rst_ni.value = 1
        self.sink = ResultSink(dut, self.outputs)

    async def drain(self) -> None:
        for _ in range(self.latency + 4):
            await RisingEdge(self.dut.clk_i)
            self.source.cycle += 1

    def check(self) -> int:
        """Every token came out once, in order, on time and right, and nothing else did. Returns how many."""
        sent, received = self.source.sent, self.sink.received
        assert len(received) == len(sent), f"{len(sent)} tokens in, {len(received)} results out"
        for (entered, token), (left, product, mode, a_signed, b_signed, last) in zip(sent, received, strict=True):
            what = f"{token.combination.label} a={token.a:#x} b={token.b:#x}"
            assert left - entered == LATENCY, f"{what}: {left - entered} cycles"
            assert product == token.products, f"{what}: {product:#x}, expected {token.products:#x}"
            asked = (token.mode, token.combination.a_signed, token.combination.b_signed, token.last)
            assert (mode, a_signed, b_signed, last) == asked, f"{what}: tag {(mode, a_signed, b_signed, last)}"
        return len(received)


def scattered(count: int) -> Iterator[Token]:
    """Random tokens; a third of the operands are corners."""
    corners = [0, (1 << N) - 1, 1, 1 << (N - 1), (1 << (N - 1)) - 1]

    def operand() -> int:
        return random.choice(corners) if random.random() < 1 / 3 else random.getrandbits(N)

    for _ in range(count):
        yield Token(operand(), operand(), random.choice(COMBINATIONS), random.random() < 0.2)


@cocotb.test(skip=N != 4)
async def exhaustive(dut: Any) -> None:
    """All operand pairs in every mode and sign combination, back to back."""
    tb = TB(dut)
    await tb.reset()
    await tb.source.send(Token(a, b, c) for c in COMBINATIONS for a in range(1 << N) for b in range(1 << N))
    await tb.drain()
    assert tb.check() == len(COMBINATIONS) << 2 * N


@cocotb.test()
async def mode_switches_every_cycle(dut: Any) -> None:
    """Mode, signs and `last` are random on every cycle, without a gap."""
    tb = TB(dut)
    await tb.reset()
    await tb.source.send(scattered(3000))
    await tb.drain()
    assert tb.check() == 3000
    modes = [token.mode for _, token in tb.source.sent]
    switches = set(itertools.pairwise(modes))
    assert len(switches) == len(WIDTHS) ** 2, "some transition between modes was never tried"


@cocotb.test()
async def random_gaps(dut: Any) -> None:
    """Tokens come irregularly; between them the operand wires carry garbage."""
    tb = TB(dut, idle=iter(lambda: random.random() < 0.4, None))
    await tb.reset()
    await tb.source.send(scattered(2000))
    await tb.drain()
    assert tb.check() == 2000


@cocotb.test()
async def reset_in_traffic(dut: Any) -> None:
    """A reset of one cycle kills exactly the tokens in flight; the next cycle's token is answered."""
    tb = TB(dut)
    await tb.reset()
    for before in (1, LATENCY - 1, LATENCY, LATENCY + 1, 3 * LATENCY):
        await tb.source.send(scattered(before))
        dut.rst_ni.value = 0
        await RisingEdge(dut.clk_i)
        tb.source.cycle += 1
        dut.rst_ni.value = 1
        # What entered in cycle t shows after edge t + LATENCY; the edge that saw the reset was number `cycle`.
        alive = [item for item in tb.source.sent if item[0] + LATENCY < tb.source.cycle]
        tb.source.sent = deque(alive)
    await tb.source.send(scattered(2 * LATENCY))
    await tb.drain()
    assert tb.check() > 2 * LATENCY
