"""The test bench of every unit and design, in the manner of cocotbext-axi: clock, reset, source, monitor, judge.

Runs inside the simulator. The design comes from the environment, because a test bench cannot read the parameters of a
compiled module. The judge and the functional coverage know only what the monitor saw at the ports; what a test meant to
send plays no part.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from coverage_model import corners

from triptych.bitsys import model, vectors
from triptych.bitsys.vectors import Response, Stimulus


@dataclass(frozen=True)
class Device:
    """What the test bench has to know about the design under test; the environment carries it into the simulator.

    `latencies`: cycles from a token, or the last of a dot product, to its result, for each width. `intervals`: cycles
    from one token to the next at full speed.
    """

    kind: str
    unit: str
    n: int
    widths: tuple[int, ...]
    latencies: tuple[int, ...]
    intervals: tuple[int, ...]
    acc_width: int = 32

    def to_env(self) -> dict[str, str]:
        return {"TRIPTYCH_TB": json.dumps(asdict(self))}

    @classmethod
    def from_env(cls) -> Device:
        values = json.loads(os.environ["TRIPTYCH_TB"])
        return cls(**{**values, **{name: tuple(values[name]) for name in ("widths", "latencies", "intervals")}})

    @property
    def latency(self) -> int:
        """The longest."""
        return max(self.latencies)

    @property
    def single(self) -> bool:
        """It multiplies channel 0 only."""
        return self.kind == "fixed"

    @property
    def requests(self) -> list[model.Combination]:
        """Every mode with every pair of signs, each once."""
        return [c for c in model.combinations(self.widths) if (c.a, c.a_signed) != ("signed", False)]

    @property
    def codes(self) -> int:
        """How many mode codes the port can carry."""
        return 1 << max(1, (len(self.widths) - 1).bit_length())

    @property
    def unlisted(self) -> list[int]:
        """Mode codes beyond the list."""
        return list(range(len(self.widths), self.codes))

    @property
    def result(self) -> str:
        return "sum_o" if self.unit == "mac" else "product_o"


@dataclass(frozen=True)
class Token:
    """What the ports carry for one token."""

    a: int
    b: int
    mode: int
    a_signed: bool = False
    b_signed: bool = False
    last: bool = False

    @classmethod
    def of(cls, device: Device, a: int, b: int, request: model.Combination, last: bool = False) -> Token:
        return cls(a, b, device.widths.index(request.width), request.a_signed, request.b_signed, last)


class TokenSource:
    """Drives one token a cycle; `idle` yields whether to pause in the coming cycle, with garbage on all other inputs.

    Where the design has `ready_o`, a token stays until the edge at which it is ready.
    """

    def __init__(self, dut: Any, device: Device, idle: Iterator[bool] | None = None) -> None:
        self.dut, self.device, self.idle = dut, device, idle
        self.stalls = hasattr(dut, "ready_o")

    async def send(self, tokens: Iterable[Token | int]) -> None:
        """Tokens in order; a number is that many idle cycles."""
        for token in tokens:
            if isinstance(token, int):
                for _ in range(token):
                    await self._pause()
                continue
            while self.idle is not None and next(self.idle):
                await self._pause()
            self.drive(token, 1)
            await RisingEdge(self.dut.clk_i)
            while self.stalls and not int(self.dut.ready_o.value):
                await RisingEdge(self.dut.clk_i)
        self.dut.valid_i.value = 0

    async def _pause(self) -> None:
        top = (1 << self.device.n) - 1
        garbage = Token(
            random.randint(0, top),
            random.randint(0, top),
            random.randrange(self.device.codes),
            bool(random.getrandbits(1)),
            bool(random.getrandbits(1)),
            bool(random.getrandbits(1)),
        )
        self.drive(garbage, 0)
        await RisingEdge(self.dut.clk_i)

    def drive(self, token: Token, valid: int) -> None:
        """Put a token on the ports for the coming edge."""
        dut = self.dut
        dut.valid_i.value = valid
        dut.a_i.value, dut.b_i.value, dut.mode_i.value = token.a, token.b, token.mode
        dut.a_signed_i.value, dut.b_signed_i.value = int(token.a_signed), int(token.b_signed)
        dut.last_i.value = int(token.last)


class Monitor:
    """Samples every port at every rising edge, as the design itself does: before anything changes."""

    inputs = ("rst_ni", "valid_i", "last_i", "a_signed_i", "b_signed_i", "mode_i", "a_i", "b_i")

    def __init__(self, dut: Any, device: Device) -> None:
        self.outputs = ["valid_o", "last_o", "a_signed_o", "b_signed_o", "mode_o", device.result]
        self.handles = [getattr(dut, name, None) for name in (*self.inputs, *self.outputs, "ready_o")]
        self.clock = dut.clk_i
        self.rows: list[list[int]] = []
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        edge, handles, rows = RisingEdge(self.clock), self.handles, self.rows
        while True:
            await edge
            rows.append([1 if handle is None else int(handle.value) for handle in handles])

    def columns(self) -> list[np.ndarray]:
        """What each port carried, in the order of `inputs`, `outputs`, `ready_o`; 1 for one that is not there."""
        return [np.array(column) for column in zip(*self.rows, strict=True)]


class TB:
    """Clock, reset, source, monitor, and the judge of what the monitor saw."""

    def __init__(self, dut: Any, device: Device, idle: Iterator[bool] | None = None) -> None:
        self.dut, self.device = dut, device
        Clock(dut.clk_i, 10, unit="ns").start(start_high=False)
        self.source = TokenSource(dut, device, idle)

    async def reset(self) -> None:
        """Power-up reset, after which the monitor starts."""
        dut = self.dut
        dut.rst_ni.value = 0
        dut.valid_i.value = dut.last_i.value = dut.mode_i.value = dut.a_i.value = dut.b_i.value = 0
        dut.a_signed_i.value = dut.b_signed_i.value = 0
        for _ in range(2):
            await RisingEdge(dut.clk_i)
        dut.rst_ni.value = 1
        self.monitor = Monitor(dut, self.device)

    async def reset_one_cycle(self, token: Token | None = None) -> None:
        """Reset for one cycle, in which a token may try to enter."""
        self.dut.rst_ni.value = 0
        if token is not None:
            self.source.drive(token, 1)
        await RisingEdge(self.dut.clk_i)
        self.dut.rst_ni.value = 1
        self.dut.valid_i.value = 0

    async def run(self, tokens: Iterable[Token | int]) -> None:
        """Power-up reset, the tokens, and everything is out."""
        await self.reset()
        await self.source.send(tokens)
        await self.drain()

    async def drain(self) -> None:
        """Idle until everything that was sent is out."""
        await self.source.send([self.device.latency + 4])

    def trace(self) -> tuple[Stimulus, Response]:
        """What was seen: the inputs of every cycle, and the outputs when the answer to them is due."""
        device, columns = self.device, self.monitor.columns()
        rows = np.arange(len(columns[0]) - device.latency)
        rst_n, valid, last, a_signed, b_signed, mode, a, b = (column[rows] for column in columns[:8])
        accepted = valid & columns[14][rows]
        stimulus = Stimulus(rst_n > 0, accepted > 0, last > 0, a_signed > 0, b_signed > 0, mode, a, b)
        due = rows + np.array(device.latencies)[np.minimum(mode, len(device.widths) - 1)]
        flags = [column[due] > 0 for column in columns[8:12]]
        return stimulus, Response(*flags, columns[12][due], columns[13][due], device.latency)

    def check(self, name: str) -> int:
        """Every token, or dot product, came out once, on time and right, and nothing else did. Returns how many.

        Keeps the inputs seen for the functional coverage, in the file `name`.npz.
        """
        device = self.device
        stimulus, response = self.trace()
        np.savez(Path(f"{name}.npz"), **vars(stimulus))
        asked = replace(stimulus, mode=np.minimum(stimulus.mode, len(device.widths) - 1))
        resets = np.concatenate([[0], np.cumsum(self.monitor.columns()[0] == 0)])
        rows = np.arange(len(stimulus))
        due = stimulus.valid & (resets[rows + np.array(device.latencies)[asked.mode]] == resets[rows])
        if device.unit == "mac":
            due &= stimulus.last
            results = vectors.expected_sums(device.n, device.widths, asked, device.acc_width, single=device.single)
        else:
            results = vectors.expected(device.n, device.widths, asked, single=device.single)
        right = (
            response.valid
            & (response.product == results)
            & (response.mode == asked.mode)
            & (response.a_signed == stimulus.a_signed)
            & (response.b_signed == stimulus.b_signed)
            & ((response.last == stimulus.last) | (device.unit == "mac"))
        )
        for row in np.flatnonzero(due & ~right)[:1]:
            seen = {field: column[row].item() for field, column in vars(stimulus).items()}
            answered = ("valid", "last", "a_signed", "b_signed", "mode", "product")
            came = {field: getattr(response, field)[row].item() for field in answered}
            raise AssertionError(f"cycle {row}: {seen}: due {results[row]:#x}, came {came}")
        answers = int(sum(self.monitor.columns()[8]))
        assert answers == due.sum(), f"{due.sum()} answers due, {answers} came"
        return answers


def every_pair(device: Device) -> Iterator[Token]:
    """All operand pairs in every request."""
    size = range(1 << device.n)
    for request in device.requests:
        for a, b in itertools.product(size, size):
            yield Token.of(device, a, b, request)


def scattered(device: Device, count: int) -> Iterator[Token]:
    """Random tokens; a third of the operands are corners."""
    top = (1 << device.n) - 1
    corners = [0, top, 1, top // 2 + 1, top // 2]

    def operand() -> int:
        return random.choice(corners) if random.random() < 1 / 3 else random.randint(0, top)

    for _ in range(count):
        yield Token.of(device, operand(), operand(), random.choice(device.requests), random.random() < 0.2)


def dot_products(device: Device, count: int, longest: int = 12) -> Iterator[Token]:
    """Dot products of 1 to `longest` tokens, every token in a mode and signs of its own."""
    for _ in range(count):
        length = random.randint(1, longest)
        for place, token in enumerate(scattered(device, length)):
            yield replace(token, last=place == length - 1)


def every_transition(device: Device) -> Iterator[Token | int]:
    """From every request to every request, with and without a gap, into every pair of corner operands.

    A walk over the requests that takes each such step at least once: from where it stands it takes a step not taken
    yet, and where none is left it goes to the request with most of them.
    """
    requests = device.requests
    steps = [
        (there, gap, a, b)
        for there, request in enumerate(requests)
        for gap in (False, True)
        for a, b in itertools.product(corners(request.width).values(), repeat=2)
    ]
    left = [random.sample(steps, len(steps)) for _ in requests]
    here = 0
    yield Token.of(device, 0, 0, requests[here])
    while any(left):
        if left[here]:
            here, gap, a, b = left[here].pop()
        else:
            here, gap, a, b = max(range(len(left)), key=lambda request: len(left[request])), False, 0, 0
        if gap:
            yield max(device.intervals) - 1 + random.randint(1, 2)
        request = requests[here]
        repeated = sum(1 << place for place in range(0, device.n, request.width))
        yield Token.of(device, a * repeated, b * repeated, request, random.random() < 0.3)


def reaching(device: Device, total: int) -> Iterator[Token]:
    """A dot product with this very sum, in few tokens of the widest mode."""
    top, width = (1 << device.n) - 1, device.widths[-1]
    plain = next(r for r in device.requests if r.width == width and not r.a_signed and not r.b_signed)
    mixed = next(r for r in device.requests if r.width == width and not r.a_signed and r.b_signed)
    assert width == device.n, "one channel fills the container"
    lowest = 1 << (device.n - 1)
    tokens: list[Token] = []
    while total:
        if total > 0:
            a, b = (top, top) if total >= top * top else (min(top, total), 1)
            tokens.append(Token.of(device, a, b, plain))
            total -= a * b
        else:
            a, b = (top, lowest) if -total >= top * lowest else (min(top, -total), 1)
            tokens.append(Token.of(device, a, (1 << device.n) - b, mixed))
            total += a * b
    tokens = tokens or [Token.of(device, 0, 0, plain)]
    yield from tokens[:-1]
    yield replace(tokens[-1], last=True)


def with_unlisted(device: Device, tokens: Iterable[Token]) -> Iterator[Token]:
    """The tokens, half of them with a mode code beyond the list."""
    for token in tokens:
        yield replace(token, mode=random.choice(device.unlisted)) if random.random() < 0.5 else token
