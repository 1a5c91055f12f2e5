"""What is recorded inside the multiplier equals the algorithm on paper, cell by cell and cycle by cycle."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from triptych.bitsys import explain, vectors, waveform
from triptych.bitsys.design import Design
from triptych.bitsys.tools import RtlError


@pytest.fixture(scope="module")
def wave() -> waveform.Waveform:
    widths = (1, 2, 4)
    return waveform.record(Design(4, widths), vectors.scattered(4, widths, 60, np.random.default_rng(3)))


@pytest.mark.slow
def test_every_cell_and_every_tag_of_a_recording(wave: waveform.Waveform) -> None:
    stimulus, widths = wave.stimulus, np.array(wave.design.widths)
    where = np.add.outer(np.arange(4), np.arange(4))
    expected = np.zeros((len(wave) + 8, 8), np.int64)
    for t in np.flatnonzero(stimulus.valid):
        width = int(widths[stimulus.mode[t]])
        asked = explain.asked(width, bool(stimulus.a_signed[t]), bool(stimulus.b_signed[t]))
        partial = explain.steps(4, asked, int(stimulus.a[t]), int(stimulus.b[t])).partial[0]
        for d in range(8):
            expected[t + d + 1, d] = width
            assert (wave.partial[t + d + 1][where == d] == partial[where == d]).all(), f"token {t}, diagonal {d}"
    assert (wave.width == expected[: len(wave)]).all()


@pytest.mark.slow
def test_outputs_of_a_recording_come_latency_cycles_after_their_inputs(wave: waveform.Waveform) -> None:
    latency, stimulus = wave.design.latency, wave.stimulus
    valid = stimulus.valid[:-latency]
    assert not wave.valid[:latency].any()
    assert (wave.valid[latency:] == valid).all()
    assert wave.valid.sum() == stimulus.valid.sum(), "the recording ends after the last token has left"
    products = vectors.expected(4, wave.design.widths, stimulus)[:-latency]
    for out, into in ((wave.product, products), (wave.mode, stimulus.mode), (wave.a_signed, stimulus.a_signed)):
        assert (out[latency:][valid] == into[: len(valid)][valid]).all()


def test_reading_a_waveform_leaves_the_handling_of_broken_pipes_alone(tmp_path: Path) -> None:
    dump = tmp_path / "dump.vcd"
    dump.write_text(
        "$timescale 1ps $end\n$scope module top $end\n$var wire 4 ! word [3:0] $end\n$upscope $end\n"
        "$enddefinitions $end\n#0\nb101 !\n#30000\nb11 !\n"
    )
    before = signal.getsignal(signal.SIGPIPE)
    wave = waveform._read(dump, "top", 4)
    assert signal.getsignal(signal.SIGPIPE) == before
    assert wave == {"word": ["0101", "0011"]}
    assert waveform._number(wave, "word").tolist() == [5, 3]
    with pytest.raises(RtlError, match="no signal word of 3 bits"):
        waveform._bits(wave, "word", 3)
    with pytest.raises(RtlError, match="no signal other"):
        waveform._number(wave, "other")


def test_only_the_multiplier_is_recorded() -> None:
    with pytest.raises(ValueError, match="not bitsys_mac"):
        waveform.record(Design(unit="mac"), vectors.idle(1))
