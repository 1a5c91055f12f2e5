"""Sums of whole networks that the RTL gets wrong, and layers whose counters differ from the cycle model's.

TFC: 100 test pictures for every mix on both machines with every multiplier. TCV: 5 pictures for three mixes on both
machines with bitsys. What was run before is not run again, so an interrupted series goes on.
"""

from __future__ import annotations

BAR = "network-rtl-mismatches"
STUDY = "bitsys"
KIND = "long"
UNIT = "wrong sums and counters, 4 × 4 machines"
TARGET = "== 0"
READS = ("rtl/bitsys/*.sv", "rtl/baselines/*.sv", "rtl/accelerators/*.sv", "rtl/sim/*")

TCV_MIXES = ("8421", "1111", "1248")


def measure() -> float:
    """Wrong sums and counters."""
    from triptych.bitsys.accelerator.machine import DATAFLOWS, MULTIPLIERS, Machine
    from triptych.bitsys.networks import check, images, quantised, trained

    pictures = images.load("digits").test.pictures
    wrong = 0
    for mix in quantised.MIXES:
        network = trained.integers(trained.Job("tfc", mix, 0))
        for dataflow in DATAFLOWS:
            for kind in MULTIPLIERS:
                case = check.Case(Machine(dataflow, kind), network, 4)
                one = check.kept(case, network.quantise(pictures[:100]))
                wrong += one.wrong_sums + one.wrong_counters
                print(
                    f"tfc-{mix} {case.machine.label}: {one.wrong_sums} of {one.sums}, {one.wrong_counters}", flush=True
                )
    for mix in TCV_MIXES:
        network = trained.integers(trained.Job("tcv", mix, 0))
        for dataflow in DATAFLOWS:
            case = check.Case(Machine(dataflow, "bitsys"), network, 1)
            one = check.kept(case, network.quantise(pictures[:5]))
            wrong += one.wrong_sums + one.wrong_counters
            print(f"tcv-{mix} {case.machine.label}: {one.wrong_sums} of {one.sums}, {one.wrong_counters}", flush=True)
    return float(wrong)
