"""The largest peak of memory of any stage, all its processes together, in the last `make figures`."""

from __future__ import annotations

from triptych import keys, stages

BAR = "workbench-peak-memory"
STUDY = "workbench"
KIND = "short"
UNIT = "GB (10^9 bytes), largest of the published quick runs"
TARGET = "<= 6"


def measure() -> float:
    """Gigabytes. An error when a stage has not been made from the present code: then there is nothing to report."""
    peaks: dict[str, float] = {}
    for spec in stages.load().values():
        record = keys.read_record(spec, "quick")
        if record is None or keys.why_stale(spec, "quick"):
            raise RuntimeError(f"{spec.name} is not up to date: make figures")
        peaks[spec.name] = record["peak_memory_gb"]
    return max(peaks.values())
