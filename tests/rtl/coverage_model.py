"""Functional coverage: what the test benches must have shown a unit, and what they really did.

A point is a set of bins, each a tuple of what crosses in it. Hits are counted from what the monitor saw at the ports.
The package cocotb-coverage walks over all bins at every sample, too slow for crosses of tens of thousands; here the bin
is computed from the sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from triptych.bitsys import vectors
from triptych.bitsys.vectors import Stimulus

if TYPE_CHECKING:
    from tb_bitsys import Device

Bin = tuple[Any, ...]
LENGTHS = ("1", "2", "3 to 7", "8 and more")


def corners(width: int) -> dict[str, int]:
    """The corner values of a channel, by name; names whose value has a name already are left out."""
    ones = (1 << width) - 1
    named = {
        "zero": 0,
        "all ones": ones,
        "most negative": 1 << (width - 1),
        "most positive": ones >> 1,
        "one": 1,
        "0101": 0x5555 & ones,
        "1010": 0xAAAA & ones,
    }
    return {
        name: value for name, value in named.items() if value not in list(named.values())[: list(named).index(name)]
    }


def extremes(acc_width: int) -> dict[str, int]:
    """Exact sums at which an accumulator of this width could go wrong, by name."""
    whole, half = 1 << acc_width, 1 << (acc_width - 1)
    return {
        "largest unsigned": whole - 1,
        "past the largest unsigned": whole,
        "largest signed": half - 1,
        "past the largest signed": half,
        "smallest signed": -half,
        "past the smallest signed": -half - 1,
        "twice around downwards": -2 * whole,
        "twice around upwards": 2 * whole,
        "zero": 0,
        "minus one": -1,
    }


@dataclass(frozen=True)
class Covered:
    """One point: its bins, and how often each was hit."""

    bins: frozenset[Bin]
    hits: Counter[Bin]

    @property
    def missing(self) -> list[Bin]:
        return sorted(self.bins - set(self.hits), key=str)

    @property
    def percent(self) -> float:
        return 100.0 * (1 - len(self.missing) / len(self.bins))


def bins(device: Device) -> dict[str, frozenset[Bin]]:
    """The points of a device with all their bins."""
    requests = [(r.width, int(r.a_signed), int(r.b_signed)) for r in device.requests]
    pairs = {width: list(product(corners(width), repeat=2)) for width in device.widths}
    found: dict[str, Iterable[Bin]] = {
        "transition": (
            (*before, *gap, *request, *pair)
            for before, gap, request in product(requests, (("gap",), ("no gap",)), requests)
            for pair in pairs[request[0]]
        ),
        "channel": (
            (*request, channel, *pair)
            for request in requests
            for channel in range(device.n // request[0])
            for pair in pairs[request[0]]
        ),
        "reset": product(range(device.latency + 1), (False, True)),
        "code": product(range(device.codes), (0, 1), (0, 1)),
    }
    if device.unit == "mac":
        found["length"] = (
            (length, *request, gap) for length in LENGTHS for request in requests for gap in (False, True)
        )
        found["mixture"] = product(LENGTHS[1:], ("one request", "several"))
        found["extreme"] = ((name,) for name in extremes(device.acc_width))
        found["idle"] = product(("inside a dot product", "between two"), (False, True))
    return {name: frozenset(one) for name, one in found.items()}


def measure(device: Device, traces: Iterable[Path | Stimulus]) -> dict[str, Covered]:
    """Coverage of all points by traces (or the files in which a test bench kept them)."""
    defined = bins(device)
    hits: dict[str, Counter[Bin]] = {name: Counter() for name in defined}
    for trace in traces:
        stimulus = Stimulus(**np.load(trace)) if isinstance(trace, Path) else trace
        for name, one in _hits(device, stimulus):
            if one in defined.get(name, ()):
                hits[name][one] += 1
    return {name: Covered(defined[name], hits[name]) for name in defined}


def report(covered: dict[str, Covered]) -> dict[str, Any]:
    """JSON-native: for each point its bins, how many were hit, the fewest hits of one, and the first bins missing."""
    return {
        name: {
            "bins": len(point.bins),
            "hit": len(point.bins) - len(point.missing),
            "fewest": min((point.hits[one] for one in point.bins), default=0),
            "samples": sum(point.hits.values()),
            "missing": [" ".join(map(str, one)) for one in point.missing[:20]],
        }
        for name, point in covered.items()
    }


def _hits(device: Device, stimulus: Stimulus) -> Iterator[tuple[str, Bin]]:
    """The bins that a trace hits; some are not bins of the device."""
    top = len(device.widths) - 1
    columns = zip(*(getattr(stimulus, name).tolist() for name in vars(stimulus)), strict=True)
    named = {width: {value: name for name, value in corners(width).items()} for width in device.widths}
    before: Bin | None = None
    last_row = -1
    open_tokens: list[Bin] = []
    began_after_gap = False
    entered: dict[int, bool] = {}  # rows of the tokens in flight, and whether they were last
    exact = _totals(device, replace(stimulus, mode=np.minimum(stimulus.mode, top))) if device.unit == "mac" else []
    names = {value: name for name, value in extremes(device.acc_width).items()}
    for row, (rst_n, valid, last, a_signed, b_signed, mode, a, b) in enumerate(columns):
        entered = {at: closing for at, closing in entered.items() if row - at <= device.latency}
        if valid:
            entered[row] = last
        if not rst_n:
            for at, closing in entered.items():
                yield "reset", (row - at, closing)
            before, open_tokens, entered = None, [], {}
            continue
        if not valid:
            yield "idle", ("inside a dot product" if open_tokens else "between two", last)
            continue
        yield "code", (mode, int(a_signed), int(b_signed))
        width = device.widths[min(mode, top)]
        request = (width, int(a_signed), int(b_signed))
        mask, name_of = (1 << width) - 1, named[width]
        places = range(0, device.n, width)
        pairs = [(name_of.get(a >> at & mask), name_of.get(b >> at & mask)) for at in places]
        for channel, pair in enumerate(pairs):
            yield "channel", (*request, channel, *pair)
        gap = before is not None and row - last_row > device.intervals[device.widths.index(before[0])]
        if before and len(set(pairs)) == 1:
            yield "transition", (*before, "gap" if gap else "no gap", *request, *pairs[0])
        if not open_tokens:
            began_after_gap = gap
        open_tokens.append(request)
        before, last_row = request, row
        if last:
            length = LENGTHS[sum(len(open_tokens) >= least for least in (2, 3, 8))]
            yield "length", (length, *request, began_after_gap)
            yield "mixture", (length, "several" if len(set(open_tokens)) > 1 else "one request")
            open_tokens = []
            if exact:
                yield "extreme", (names.get(exact[row]),)


def _totals(device: Device, stimulus: Stimulus) -> list[int]:
    """The exact dot product so far on every row."""
    sums = vectors.expected_sums(device.n, device.widths, stimulus, 62, single=device.single)
    return np.where(sums >> 61, sums - (1 << 62), sums).tolist()
