"""The benchmark's recorded rows, for the bars that read them."""

from __future__ import annotations

import pandas as pd

from triptych.ft_dojo.agents import benchmark, runner
from triptych.ft_dojo.agents.benchmark import ORACLE

OURS = "FT-Agent"


def rows(*, unseen: bool) -> pd.DataFrame:
    """Rows with damage of the known kinds, or with the unseen ones as well. Raises SystemExit when there are none."""
    kept = runner.committed("ft_dojo/04_benchmark", "rows.parquet")
    if kept is None or not (found := kept[kept["reserved"] == unseen]).size:
        raise SystemExit("nothing is recorded: python -m triptych run ft_dojo/04_benchmark --profile full, then keep")
    return found


def least_lead(*, unseen: bool) -> float:
    """The smallest lower end of the 95 % intervals of FT-Agent minus each baseline, in normalised points."""
    import sys

    paired = benchmark.against(rows(unseen=unseen), OURS)
    print(paired.round(3).to_string(), file=sys.stderr)
    return float(paired[paired["other"] != ORACLE]["low"].min())
