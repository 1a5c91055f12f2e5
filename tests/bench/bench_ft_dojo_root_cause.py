"""Cases in which single-factor tests name exactly the planted cause, recorded cases."""

from __future__ import annotations

import ft_dojo_studies

BAR = "root-cause-accuracy"
STUDY = "ft_dojo"
KIND = "short"
UNIT = "share of cases named exactly right"
TARGET = ">= 0.9"
READS = ("tests/bench/ft_dojo_studies.py", "notebooks/ft_dojo/recorded/08_causes/*")


def measure() -> float:
    """Share of the cases whose cause does harm, or that have none; the others are counted on standard error."""
    import sys

    from triptych.ft_dojo.agents import causes, draw_studies

    rows = ft_dojo_studies.rows("ft_dojo/08_causes", "cases.parquet")
    kept = causes.harmful(rows)
    _, table = draw_studies.causes(kept)
    print(table.round(3).to_string(), file=sys.stderr)
    print(f"{(len(rows) - len(kept)) // len(causes.INVESTIGATORS)} cases left out", file=sys.stderr)
    return float(table.set_index("investigator")["right"]["single-factor"])
