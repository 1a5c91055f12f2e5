"""The multiplier under cocotb. Runs inside the simulator; test_bitsys_mul.py starts it."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from tb_bitsys import TB, Device, Token, every_pair, every_transition, scattered, with_unlisted

DEVICE = Device.from_env()


@cocotb.test()
async def exhaustive(dut: Any) -> None:
    """All operand pairs in every mode and sign combination, back to back."""
    tb = TB(dut, DEVICE)
    await tb.run(every_pair(DEVICE))
    assert tb.check("exhaustive") == len(DEVICE.requests) << 2 * DEVICE.n


@cocotb.test()
async def transitions(dut: Any) -> None:
    """Every request after every request, with and without a gap, into every pair of corner operands."""
    tb = TB(dut, DEVICE)
    await tb.run(every_transition(DEVICE))
    tb.check("transitions")


@cocotb.test()
async def every_cycle(dut: Any) -> None:
    """Mode, signs and `last` are random on every cycle, without a gap."""
    tb = TB(dut, DEVICE)
    await tb.run(scattered(DEVICE, 2000))
    assert tb.check("every_cycle") == 2000


@cocotb.test()
async def random_gaps(dut: Any) -> None:
    """Tokens come irregularly; between them every other input carries garbage."""
    tb = TB(dut, DEVICE, idle=iter(lambda: random.random() < 0.4, None))
    await tb.run(scattered(DEVICE, 1000))
    assert tb.check("random_gaps") == 1000


@cocotb.test()
async def reset_in_traffic(dut: Any) -> None:
    """A reset of one cycle kills exactly the tokens in flight, how far they may be; the next token is answered."""
    tb = TB(dut, DEVICE)
    await tb.reset()
    for last in (False, True):
        await tb.reset_one_cycle(Token(1, 1, 0, last=last))
        for age in range(DEVICE.latency):
            await tb.source.send([Token(1, 1, 0, last=last), age])
            await tb.reset_one_cycle()
    for before in (1, DEVICE.latency - 1, DEVICE.latency, DEVICE.latency + 1, 3 * DEVICE.latency):
        await tb.source.send(scattered(DEVICE, before))
        await tb.reset_one_cycle()
    await tb.source.send(scattered(DEVICE, 2 * DEVICE.latency))
    await tb.drain()
    sent, answered = tb.trace()[0].valid.sum(), tb.check("reset_in_traffic")
    assert 2 * DEVICE.latency < answered < sent, "some tokens must have been killed and some not"


@cocotb.test()
async def codes_beyond_the_list(dut: Any) -> None:
    """A mode code beyond the list acts as the widest listed width, between tokens of the others."""
    tb = TB(dut, DEVICE)
    await tb.run(with_unlisted(DEVICE, scattered(DEVICE, 1000)))
    assert tb.check("codes_beyond_the_list") == 1000
