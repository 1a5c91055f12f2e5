"""Tokens one by one, against the cycle model, which counts without them, and against every unit by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.bitsys.accelerator.cycles import WORD_LATENCY, Supply, predict
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.networks import bandwidth, journey, shapes
from triptych.errors import ParameterError


@given(
    mix=st.sampled_from(["8888", "1111", "8421", "1248"]),
    dataflow=st.sampled_from(["systolic", "single_layer"]),
    images=st.integers(1, 9),
    throttle=st.sampled_from([1, 2, 5]),
    port=st.sampled_from([8, 32]),
)
@settings(max_examples=40, deadline=None)
def test_issued_tokens_are_what_the_model_counts(mix, dataflow, images, throttle, port):
    machine, supply = Machine(dataflow, "bitsys", 4, 4, port_bits=port), Supply(throttle)
    program = shapes.assemble(machine, bandwidth.layers(shapes.tfc(), mix), (1, 1), images)
    found = journey.issues(machine, program.instructions, supply)
    starts = journey.layer_starts(machine, program.instructions, supply)
    assert np.all(np.diff(found.cycle) > 0), "one a cycle, in order"
    for number, one in enumerate(predict(machine, program.instructions, supply)):
        mine = found.cycle[found.layer == number] - starts[number]
        assert len(mine) == one.busy
        gap = program.instructions[number].gap
        assert mine[-1] + 1 + gap == one.busy + one.stalled + one.gap, "what is no token is a stall or a gap"
        assert mine[0] == machine.beats_per_line * throttle - throttle + 1, "the first token waits for its line only"


def test_what_units_work_on():
    for dataflow in ("systolic", "single_layer"):
        machine = Machine(dataflow, "bitsys", 2, 4, port_bits=32)
        program = shapes.assemble(machine, bandwidth.layers(shapes.tfc(), "1248"), (1, 1), 2)
        found = journey.issues(machine, program.instructions)
        when = {int(cycle): index for index, cycle in enumerate(found.cycle)}
        for cycle in [0, 3, 5, 6, 9, 100, 1234, int(found.cycle[-1]) + 6, int(found.cycle[-1]) + 50]:
            got = journey.at_work(machine, found, cycle)
            for row in range(2):
                for column in range(4):
                    delay = row + column if dataflow == "systolic" else 0
                    assert got[row, column] == when.get(cycle - WORD_LATENCY - delay, -1)
            assert found.at(cycle) == when.get(cycle)


def test_layers_that_overlap_are_refused():
    machine = Machine()
    program = shapes.assemble(machine, bandwidth.layers(shapes.tfc(), "1111"), (1, 1), 1)
    with pytest.raises(ParameterError, match="wait for each other"):
        journey.issues(machine, program.instructions, Supply(1, prefetch=True))
