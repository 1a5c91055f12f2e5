"""The check can fail: faults planted in the RTL, one at a time, are all found by the comparison that the RTL passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from mutants import MAC_FAULTS, MUL_FAULTS, Fault, plant

from triptych import paths
from triptych.bitsys import model, simulate, vectors
from triptych.bitsys.design import Design
from triptych.bitsys.model import Bools, Ints
from triptych.bitsys.vectors import Response, Stimulus

DESIGN = Design(4, (1, 2, 4))
MAC = Design(4, (1, 2, 4), unit="mac", acc_width=12)
SEED = 20260


@dataclass(frozen=True)
class Answers:
    """What was asked, and what each copy of the design answered: copy 0 is sound, copy k has fault k - 1."""

    stimulus: Stimulus
    expected: Ints
    compare: Callable[[Stimulus, Response, Ints], Bools]
    responses: list[Response]

    def mismatches(self, copy: int) -> int:
        return int(self.compare(self.stimulus, self.responses[copy], self.expected).sum())


def responses(design: Design, faults: list[Fault], stimulus: Stimulus, folder: Path) -> list[Response]:
    """What each copy answers, from one simulator that holds them all."""
    sources = plant(paths.rtl() / "bitsys", paths.rtl() / "sim" / "bitsys_sweep.sv", folder, faults)
    visible = folder / "mutants.vlt"
    visible.write_text(
        '`verilator_config\npublic_flat_rw -module "mutants" -var "clk_i"\n'
        'public_flat_rd -module "mutants" -var "done_o"\nlint_off -rule WIDTHEXPAND\nlint_off -rule WIDTHTRUNC\n'
        "lint_off -rule TICKCOUNT\n",
        "utf-8",
    )
    options = ("-O1", "--no-assert", "-CFLAGS", "-O0", "--x-assign", "fast", "--x-initial", "fast")
    parameters = {**design.parameters, "Mac": int(design.unit == "mac")}
    built = simulate.build("mutants", [*sources, visible], parameters, *options)
    return simulate.answers(built, "mutants", stimulus, design.latency, len(faults) + 1)


def traffic_with_resets() -> Stimulus:
    """Every operand pair in every combination, then random traffic with gaps and resets."""
    everything = [vectors.exhaustive(4, DESIGN.widths, c) for c in model.combinations(DESIGN.widths)]
    rng = np.random.default_rng(SEED)
    traffic = vectors.scattered(4, DESIGN.widths, 4000, rng)
    traffic = replace(traffic, rst_n=rng.random(len(traffic)) >= 0.02)
    return vectors.join([*everything, traffic])


@pytest.fixture(scope="session")
def mul(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    stimulus = traffic_with_resets()
    products = vectors.expected(4, DESIGN.widths, stimulus)
    copies = responses(DESIGN, MUL_FAULTS, stimulus, tmp_path_factory.mktemp("mutants"))
    return Answers(stimulus, products, vectors.mismatches, copies)


@pytest.fixture(scope="session")
def mac(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    stimulus = traffic_with_resets()
    rng = np.random.default_rng(SEED)
    stimulus = replace(stimulus, last=rng.random(len(stimulus)) < 0.2)
    sums = vectors.expected_sums(4, MAC.widths, stimulus, MAC.acc_width)
    copies = responses(MAC, MAC_FAULTS, stimulus, tmp_path_factory.mktemp("mac-mutants"))
    return Answers(stimulus, sums, vectors.sum_mismatches, copies)


@pytest.mark.slow
def test_the_sound_copy_has_no_mismatch(mul: Answers) -> None:
    assert mul.mismatches(0) == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", MUL_FAULTS, ids=lambda fault: fault.name)
def test_fault_is_found(mul: Answers, fault: Fault) -> None:
    assert mul.mismatches(MUL_FAULTS.index(fault) + 1) > 0, f"survived: {fault} (seed {SEED})"


@pytest.mark.slow
def test_the_sound_copy_of_the_mac_has_no_mismatch(mac: Answers) -> None:
    assert mac.mismatches(0) == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", MAC_FAULTS, ids=lambda fault: fault.name)
def test_fault_of_the_mac_is_found(mac: Answers, fault: Fault) -> None:
    assert mac.mismatches(MAC_FAULTS.index(fault) + 1) > 0, f"survived: {fault} (seed {SEED})"
