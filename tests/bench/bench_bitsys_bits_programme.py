"""Budgets of cycles at which the dynamic programme and trying every mix disagree, on TFC's cycles."""

from __future__ import annotations

BAR = "bits-programme"
STUDY = "bitsys"
KIND = "short"
UNIT = "budgets that differ, 4^4 mixes of TFC on both machines, 40 random tables of harm"
TARGET = "== 0"


def measure() -> float:
    """Differing budgets."""
    import numpy as np

    from triptych.bitsys.accelerator.layers import Layer, Raw, Thresholds
    from triptych.bitsys.accelerator.machine import DATAFLOWS, Machine
    from triptych.bitsys.networks import precision
    from triptych.bitsys.networks.integer import Input, Network

    layers: list[Layer] = []
    for outputs, inputs in ((64, 784), (64, 64), (64, 64), (10, 64)):
        weights = np.ones((outputs, 1, 1, inputs), np.int64)
        output = Raw(np.zeros(outputs, np.int64)) if outputs == 10 else Thresholds(np.zeros((outputs, 3), np.int64))
        layers.append(Layer(f"{inputs} to {outputs}", weights, 2, "unsigned", "signed", output))
    network = Network("tfc", Input((1, 1, 784), 3, 0, 0, 3), tuple(layers), np.ones(10), np.zeros(10))
    rng = np.random.default_rng(0)
    wrong = 0
    for dataflow in DATAFLOWS:
        times = precision.cycles(network, Machine(dataflow), images=4)
        slowest = sum(max(time.values()) for time in times)
        for _ in range(20):
            harms = [{p: int(rng.integers(-4, 64)) / 64 for p in precision.WIDTHS} for _ in times]
            for budget in rng.integers(0, slowest + 2, 20):
                wrong += precision.best(times, harms, int(budget)) != precision.brute_force(times, harms, int(budget))
    return float(wrong)
