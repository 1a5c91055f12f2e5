"""The recorded rows of the studies on agents, for the bars that read them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from triptych.ft_dojo.agents import runner


def rows(stage: str, name: str) -> pd.DataFrame:
    """A recorded result of a stage. Raises SystemExit when there is none."""
    kept = runner.committed(stage, name)
    if kept is None:
        raise SystemExit(f"nothing is recorded: python -m triptych run {stage} --profile full, then keep {stage}")
    return kept


def optimism() -> dict[str, Any]:
    """The default policy against argmax with fifteen items of val and six trainings, over the recorded pools."""
    import sys

    from triptych.ft_dojo.agents import intervals, selection

    pools = selection.pools(rows("ft_dojo/06_selection_noise", "pools.parquet"))
    cell = selection.simulated(pools, [15], [6], 1000)
    print(intervals.table(cell, ["policy"], "optimism").round(2).to_string(), file=sys.stderr)
    print(intervals.table(cell, ["policy"], "test").round(2).to_string(), file=sys.stderr)
    found = selection.against_argmax(cell)
    print(f"{len(pools)} pools; {found}", file=sys.stderr)
    return found


def copilot_gains(accuracy: float) -> dict[str, Any]:
    """Intervals of the gain with people of this accuracy who may be asked everything, by what they know.

    "apart" are those who know the target, on the tasks where their items ask about other facts than test.
    """
    import sys

    from triptych.ft_dojo.agents import copilot_study, intervals

    kept = rows("ft_dojo/09_copilot", "runs.parquet")
    most = int(kept["most"].max())
    found = {
        "target": copilot_study.gains(kept, accuracy, most),
        "apart": copilot_study.gains(copilot_study.apart(kept), accuracy, most),
        "select": copilot_study.gains(kept, accuracy, most, "select"),
    }
    about = {name: intervals.of(gains, "gain") for name, gains in found.items()}
    for name, interval in about.items():
        print(f"right in {accuracy:.0%}, {name}: {interval}", file=sys.stderr)
    return about
