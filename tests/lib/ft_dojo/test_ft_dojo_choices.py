"""Arms of a training, paired by seed with the reference."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from triptych.ft_dojo import choices
from triptych.ft_dojo.tiny import FINE_TUNE


def table(reference: list[float], other: list[float | None]) -> pd.DataFrame:
    rows = [
        {"arm": arm, "seed": seed, "accuracy": value, "chance": 0.25, "diverged": value is None}
        for arm, values in ((choices.REFERENCE, reference), ("other", other))
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_a_difference_is_paired_by_seed_and_its_interval_students() -> None:
    reference, other = [0.5, 0.7, 0.9, 0.6], [0.55, 0.7, 0.97, 0.66]
    row = choices.paired(table(reference, other)).iloc[1]
    gaps = [100 * (b - a) for a, b in zip(reference, other, strict=True)]
    interval = ttest_1samp(gaps, 0).confidence_interval()
    assert (row["difference"], row["low"], row["high"]) == pytest.approx((sum(gaps) / 4, interval.low, interval.high))


def test_what_diverged_is_counted_and_not_averaged() -> None:
    row = choices.paired(table([0.5, 0.7], [0.6, None])).iloc[1]
    assert row["difference"] == pytest.approx(10.0) and row["diverged"] == 1 and row["seeds"] == 1
    assert pd.isna(row["low"])
    assert choices.figure(table([0.5, 0.7], [0.6, None])) is not None


def test_every_arm_changes_the_reference_or_is_named_as_missing() -> None:
    possible, missing = choices.available()
    assert len(possible) + len(missing) == len(choices.ARMS)
    assert len({arm.spec(FINE_TUNE).model_dump_json() for arm in possible} | {FINE_TUNE.model_dump_json()}) == (
        len(possible) + 1
    )
