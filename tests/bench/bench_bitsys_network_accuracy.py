"""What 8 and 4 bits cost TFC in test accuracy on the handwritten digits, mean of three seeds, by what each may cost."""

from __future__ import annotations

BAR = "network-accuracy"
STUDY = "bitsys"
KIND = "long"
UNIT = "the larger of points lost with 8 bits / 1 and with 4 bits / 1.5"
TARGET = "<= 1"
READS = ("lib/triptych/bitsys/networks/*.py",)


def measure() -> float:
    """Against the network in floating point with the same seeds."""
    from triptych.bitsys.networks import draw, trained

    frame = trained.gather(trained.jobs("tfc", ["float", "8888", "4444"], [0, 1, 2]))
    table = draw.summary(frame)
    mean = dict(zip(table["mix"], table["accuracy"], strict=True))
    return max((mean["float"] - mean["8888"]) / 1, (mean["float"] - mean["4444"]) / 1.5)
