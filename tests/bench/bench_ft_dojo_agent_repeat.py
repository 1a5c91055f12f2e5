"""The same job played twice from nothing: actions, outcomes, scores and charges, by the last hash of the journal."""

from __future__ import annotations

BAR = "ft-agent-repeat"
STUDY = "ft_dojo"
KIND = "long"
UNIT = "rows that differ, of 3 agents played twice"
TARGET = "== 0"
READS = ("lib/triptych/ft_dojo/tiny_base/*",)


def measure() -> float:
    """Everything of a row but what a clock measured must be equal."""
    import tempfile
    from pathlib import Path

    from triptych.ft_dojo.agents import runner
    from triptych.ft_dojo.environment.budget import Limits

    limits = Limits(nominal_cpu=12.0)
    jobs = runner.jobs(["patent_pi4pc"], ["FT-Agent", "TPE", "hill climbing"], [0], limits=limits)
    with tempfile.TemporaryDirectory() as scratch:
        one, two = (
            runner.sweep(jobs, folder=Path(scratch) / name).drop(columns=["cpu", "wall"]) for name in ("one", "two")
        )
    return float((one.fillna(-1) != two.fillna(-1)).any(axis=1).sum())
