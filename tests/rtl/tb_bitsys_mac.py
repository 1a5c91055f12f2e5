"""The multiply-accumulate unit under cocotb. Runs inside the simulator; test_bitsys_mac.py starts it."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import cocotb
from coverage_model import extremes
from tb_bitsys import TB, Device, Token, dot_products, every_pair, every_transition, reaching, with_unlisted

DEVICE = Device.from_env()


@cocotb.test()
async def exhaustive_single_tokens(dut: Any) -> None:
    """All operand pairs in every mode and sign combination, each a dot product of its own: the reduction alone."""
    tb = TB(dut, DEVICE)
    await tb.run(replace(token, last=True) for token in every_pair(DEVICE))
    assert tb.check("exhaustive_single_tokens") == len(DEVICE.requests) << 2 * DEVICE.n


@cocotb.test()
async def transitions(dut: Any) -> None:
    """Every request after every request, with and without a gap, into every pair of corner operands."""
    tb = TB(dut, DEVICE)
    await tb.run(every_transition(DEVICE))
    tb.check("transitions")


@cocotb.test()
async def back_to_back(dut: Any) -> None:
    """Dot products of random length, one token included, without a bubble; mode and signs random on every cycle."""
    tb = TB(dut, DEVICE)
    await tb.run(dot_products(DEVICE, 500))
    assert tb.check("back_to_back") == 500


@cocotb.test()
async def one_request_each(dut: Any) -> None:
    """Dot products in one mode and signs, of every length class, with and without a gap before."""
    tb = TB(dut, DEVICE)
    await tb.reset()
    count = 0
    for request, length, gap in itertools.product(DEVICE.requests, (1, 2, 5, 9), (0, max(DEVICE.intervals))):
        operands = [(random.getrandbits(DEVICE.n), random.getrandbits(DEVICE.n)) for _ in range(length)]
        tokens = [Token.of(DEVICE, a, b, request) for a, b in operands]
        await tb.source.send([gap, *tokens[:-1], replace(tokens[-1], last=True)])
        count += 1
    await tb.drain()
    assert tb.check("one_request_each") == count


@cocotb.test()
async def random_gaps(dut: Any) -> None:
    """Tokens come irregularly; between them every other input, `last` included, carries garbage."""
    tb = TB(dut, DEVICE, idle=iter(lambda: random.random() < 0.4, None))
    await tb.run(dot_products(DEVICE, 300))
    assert tb.check("random_gaps") == 300


@cocotb.test()
async def accumulator_at_its_extremes(dut: Any) -> None:
    """Sums that end at, just before and just past what the accumulator can hold; it goes on modulo 2^acc_width."""
    tb = TB(dut, DEVICE)
    totals = list(extremes(DEVICE.acc_width).values())
    await tb.run(token for total in totals for token in reaching(DEVICE, total))
    assert tb.check("accumulator_at_its_extremes") == len(totals)


@cocotb.test()
async def reset_in_traffic(dut: Any) -> None:
    """A reset of one cycle kills what is in flight and the dot product begun; the next token starts another."""
    tb = TB(dut, DEVICE)
    await tb.reset()
    for last in (False, True):
        await tb.reset_one_cycle(Token(1, 1, 0, last=last))
        for age in range(DEVICE.latency):
            await tb.source.send([Token(1, 1, 0, last=last), age])
            await tb.reset_one_cycle()
    latency = DEVICE.latency
    for before in (1, 2, latency - 2, latency - 1, latency, latency + 1, latency + 2, 3 * latency):
        await tb.source.send(itertools.islice(dot_products(DEVICE, before), before))
        await tb.reset_one_cycle()
    await tb.source.send(dot_products(DEVICE, 2 * latency))
    await tb.drain()
    stimulus = tb.trace()[0]
    closed, answered = (stimulus.valid & stimulus.last).sum(), tb.check("reset_in_traffic")
    assert 2 * latency < answered < closed, "some dot products must have been killed and some not"


@cocotb.test()
async def codes_beyond_the_list(dut: Any) -> None:
    """A mode code beyond the list acts as the widest listed width, between tokens of the others."""
    tb = TB(dut, DEVICE)
    await tb.run(with_unlisted(DEVICE, dot_products(DEVICE, 200)))
    assert tb.check("codes_beyond_the_list") == 200
