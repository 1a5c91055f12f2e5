"""Packing, instruction words, limits and the closed form of the cycles; the RTL itself is in tests/rtl."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.bitsys.accelerator import cycles, instruction, simulate
from triptych.bitsys.accelerator.cycles import Supply
from triptych.bitsys.accelerator.instruction import Instruction
from triptych.bitsys.accelerator.layers import Layer, Raw, Scale, Thresholds
from triptych.bitsys.accelerator.machine import Machine
from triptych.bitsys.accelerator.program import Program, Tensor, assemble
from triptych.errors import ParameterError

RNG = np.random.default_rng(7)


def dense(inputs: int, outputs: int, width: int = 8) -> Layer:
    return Layer(
        "dense", np.ones((outputs, 1, 1, inputs), np.int64), width, "unsigned", "signed" if width > 1 else "unsigned",
        Raw(np.zeros(outputs, np.int64)),
    )  # fmt: skip


def program(machine: Machine, layer: Layer, images: int = 4) -> Program:
    return assemble(machine, [layer], (layer.weights.shape[1], layer.weights.shape[2]), images)


@settings(deadline=None)
@given(st.data())
def test_an_instruction_word_reads_back(data: st.DataObject) -> None:
    values = {name: data.draw(st.integers(0, (1 << bits) - 1), name) for name, bits in instruction.WIDTHS.items()}
    word = Instruction(**values).encode()
    assert 0 <= word < 1 << instruction.BITS
    assert Instruction.decode(word) == Instruction(**values)
    with pytest.raises(ParameterError, match="words = 65536 does not fit the 16 bits"):
        Instruction(**{**values, "words": 1 << 16})


def test_activations_lie_where_the_contract_says() -> None:
    tensor = Tensor(2, 3, 2, 11, 2, "signed", per_word=4, columns=4)
    values = RNG.integers(-2, 2, (2, 3, 2, 11))
    lines = tensor.pack(values)
    assert lines.shape == (tensor.lines, 4) and tensor.words == 3 and tensor.stride == 4
    words = lines.reshape(-1)
    for image, y, x, channel in np.ndindex(values.shape):
        word = words[((image * 3 + y) * 2 + x) * 4 + channel // 4]
        assert word >> (channel % 4 * 2) & 3 == values[image, y, x, channel] & 3
    assert np.all(words.reshape(-1, 4)[:, 2] >> 6 == 0) and np.all(words.reshape(-1, 4)[:, 3] == 0), "the rest is zero"


def test_weights_of_a_bank_leave_it_in_ascending_order() -> None:
    layer = dataclasses.replace(dense(1, 16), weights=np.arange(16).reshape(16, 1, 1, 1))
    assert program(Machine("systolic"), layer).weights.ravel().tolist() == list(range(16))
    bank = [12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3]
    assert program(Machine("single_layer"), layer).weights.ravel().tolist() == bank


def test_what_does_not_fit_is_refused_by_name() -> None:
    machine = Machine(activation_lines=16, weight_lines=32, table_lines=2, instructions=2)
    with pytest.raises(ParameterError, match="layer dense: a dot product of 33 words; the weight buffer holds 32"):
        program(machine, dense(33, 4), 1)
    with pytest.raises(ParameterError, match="layer dense: its input needs 32 lines of activation memory"):
        program(machine, dense(16, 4), 8)
    with pytest.raises(ParameterError, match="tables of 3 lines; the machine holds 2"):
        program(machine, dense(1, 12))
    with pytest.raises(ParameterError, match="no mode of 4 bits"):
        program(Machine(widths=(1, 8)), dense(4, 4, 4))
    with pytest.raises(ParameterError, match="3 × 3 pooling does not go with 4 rows"):
        pooled = dataclasses.replace(dense(1, 2), output=Thresholds(np.zeros((2, 1), np.int64)), pool=3)
        assemble(Machine(), [pooled, dense(2, 2, 1)], (3, 3))
    with pytest.raises(ParameterError, match="a sum may reach"):
        huge = dataclasses.replace(dense(1, 1), output=Raw(np.array([(1 << 31) - 1])))
        program(Machine(), huge)
    with pytest.raises(ParameterError, match="the last layer, and no other, gives raw sums"):
        assemble(Machine(), [dense(4, 4), dense(4, 4)], (1, 1))
    one_bit = dataclasses.replace(dense(4, 4), output=Thresholds(np.zeros((4, 1), np.int64)))
    with pytest.raises(ParameterError, match="1 thresholds, but dense reads 8 bits"):
        assemble(Machine(), [one_bit, dense(4, 4)], (1, 1))


def test_a_layer_that_means_nothing_is_refused_by_name() -> None:
    layer = dense(2, 2, 4)
    wrong = [
        ({"weights": np.full((2, 1, 1, 2), 8)}, "weights from 8 to 8 are not -8 to 7"),
        ({"output": Thresholds(np.array([[3, 2, 4], [1, 2, 3]]))}, "thresholds of output 0 are not in ascending order"),
        ({"output": Thresholds(np.zeros((2, 2), np.int64))}, r"thresholds of shape \(2, 2\)"),
        ({"output": Scale(np.zeros(2, np.int64), np.array([1, 32768]), 0)}, "scales are one an output"),
        ({"output": Scale(np.zeros(2, np.int64), np.ones(2, np.int64), 48)}, "shift = 48"),
        ({"activation": "bipolar", "weight": "bipolar", "weights": np.ones((2, 1, 1, 2), np.int64)}, "no mode"),
        ({"stride": 0}, "stride = 0 is not from 1 to 15"),
        ({"pool": 2}, "raw sums are not pooled"),
    ]  # fmt: skip
    for change, words in wrong:
        with pytest.raises(ParameterError, match=f"layer dense: .*{words}"):
            dataclasses.replace(layer, **change)


def test_images_that_the_network_does_not_read_are_refused() -> None:
    made = program(Machine(), dense(3, 2, 4))
    with pytest.raises(ParameterError, match=r"images of shape \(1, 2, 1, 3\) are not \(n, 1, 1, 3\)"):
        made.pack_images(np.zeros((1, 2, 1, 3), np.int64))
    with pytest.raises(ParameterError, match="values from 0 to 16; the first layer reads 4 bits unsigned, 0 to 15"):
        made.pack_images(np.array([[[[0, 16, 0]]]]))
    assert [len(batch) for batch in made.pack_images(np.zeros((5, 1, 1, 3), np.int64))] == [4, 4]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"columns": 6}, "columns = 6"),
        ({"rows": 0}, "rows = 0"),
        ({"kind": "bitserial"}, "'bitserial'"),
        ({"port_bits": 24}, "24 bits does not divide the 32 bits"),
        ({"n": 16}, "N = 16"),
        ({"widths": (3,)}, "widths"),
        ({"bands": 3}, "bands = 3 does not divide the 4 rows"),
        ({"bands": 0}, "bands = 0"),
        ({"bands": 2, "dataflow": "single_layer"}, "bands = 2: only the rows of a systolic array"),
    ],
)
def test_a_machine_that_cannot_be_built_is_refused_with_the_value(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        Machine(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(("width", "words"), [(1, 2), (2, 3), (4, 6), (8, 11)])
def test_channels_that_do_not_fill_a_word_are_padded_and_the_padding_is_counted(width: int, words: int) -> None:
    """11 inputs: at 1 bit two words of 8, and so on; 3 outputs on 4 columns and 3 images on 4 rows are padded, too."""
    machine = Machine()
    (one,) = program(machine, dense(11, 3, width), images=3).instructions
    (taken,) = cycles.predict(machine, [one])
    assert taken.busy == words
    assert taken.useful == 11 * 3 * 3
    assert taken.padded == 16 * words * (8 // width) - taken.useful


def test_a_band_is_a_machine_of_its_own_rows() -> None:
    cut = Machine(rows=8, bands=4)
    assert cut.band == Machine(rows=2) and cut.band.band == cut.band
    assert cut.label == "systolic-bitsys-8x4-4bands" and cut.positions_per_tile == 2 and cut.units == 32
    layer = dense(30, 10, 2)
    made = program(cut, layer, images=7)
    assert made.machine == cut.band and made.instructions == program(cut.band, layer, images=7).instructions
    supply = Supply(3)
    assert cycles.predict(cut, made.instructions, supply) == cycles.predict(Machine(rows=2), made.instructions, supply)


def test_bands_that_cannot_run_together_are_refused_before_anything_is_built(tmp_path: Path) -> None:
    cut = Machine(bands=2)
    one = program(cut, dense(3, 2, 4), images=2)
    images = np.zeros((2, 1, 1, 3), np.int64)
    with pytest.raises(ParameterError, match="1 programs and 2 arrays of images for 2 bands"):
        simulate.prepare(cut, [one], [images] * 2, tmp_path)
    with pytest.raises(ParameterError, match=r"the program of band 1 is for .*rows=4"):
        simulate.prepare(cut, [one, program(Machine(), dense(3, 2, 4), images=2)], [images] * 2, tmp_path)
    with pytest.raises(ParameterError, match=r"the bands have \[1, 2\] batches"):
        simulate.prepare(cut, [one, one], [images, np.repeat(images, 2, axis=0)], tmp_path)


def test_a_layer_takes_the_longer_of_computing_and_loading() -> None:
    """With the weights always there it is compute bound; with a slow port the load is what counts, to the cycle."""
    machine = Machine()
    for outputs, inputs, images in ((64, 784, 4), (64, 64, 16), (10, 64, 3)):
        (one,) = program(machine, dense(inputs, outputs), images).instructions
        (fast,) = cycles.predict(machine, [one])
        assert fast.busy + fast.gap == cycles.compute_cycles(one)
        assert fast.stalled == 1, "the first line of weights, and no other, is waited for"
        (slow,) = cycles.predict(machine, [one], Supply(throttle=50))
        pass_after_load = (one.position_tiles - 1) * (one.tokens + one.gap) + one.gap
        assert (
            slow.busy + slow.stalled + slow.gap
            == cycles.load_cycles(machine, one, Supply(50)) - 49 + 1 + pass_after_load
        )
        assert slow.useful == outputs * inputs * images == fast.useful


def test_at_the_ridge_loading_and_computing_take_equally_long() -> None:
    machine, supply = Machine(port_bits=16), Supply(2)
    for width in machine.widths:
        (one,) = program(machine, dense(64, 64, width), images=4).instructions
        ratio = cycles.compute_cycles(one) / cycles.load_cycles(machine, one, supply)
        assert cycles.intensity(machine, one) / cycles.ridge(machine, width, supply) == pytest.approx(ratio)


def test_without_prefetch_the_time_of_a_layer_depends_on_nothing_else() -> None:
    machine = Machine(port_bits=8)
    ones = [program(machine, dense(inputs, 20), 4).instructions[0] for inputs in (30, 9, 64)]
    apart = [cycles.predict(machine, [one], Supply(3))[0] for one in ones]
    assert cycles.predict(machine, ones, Supply(3)) == apart
    ahead = cycles.predict(machine, ones, Supply(3, prefetch=True))
    assert sum(one.total for one in ahead) < sum(one.total for one in apart)
