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
    from triptych.bitsys.networks.integer import Network
    from triptych.errors import DataError

    def network(kind: str, mix: str) -> Network:
        """The recorded integers; trained here where none are recorded."""
        try:
            return trained.network(trained.recorded(), kind, mix)
        except DataError:
            return trained.integers(trained.Job(kind, mix, 0))

    pictures = images.load("digits").test.pictures
    cases = [
        ("tfc", mix, Machine(dataflow, kind), 100, 4)
        for mix in quantised.MIXES
        for dataflow in DATAFLOWS
        for kind in MULTIPLIERS
    ]
    cases += [("tcv", mix, Machine(dataflow, "bitsys"), 5, 1) for mix in TCV_MIXES for dataflow in DATAFLOWS]
    wrong = 0
    for name, mix, machine, count, batch in cases:
        case = check.Case(machine, network(name, mix), batch)
        one = check.kept(case, case.network.quantise(pictures[:count]))
        wrong += one.wrong_sums + one.wrong_counters
        sums = f"{one.wrong_sums} of {one.sums} sums, {one.wrong_counters} of {one.layers} counters wrong"
        print(f"{name}-{mix} {machine.label}: {sums}", flush=True)
    return float(wrong)
