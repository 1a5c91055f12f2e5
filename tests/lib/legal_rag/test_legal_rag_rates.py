"""The factorial's tables by hand, and the client behind a model's name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from legal_rag_tables import row
from scipy.stats import beta

from triptych.errors import ModelError
from triptych.legal_rag import factorial, generate, runs
from triptych.llm import InProcess, OpenAICompatible, user


@pytest.fixture
def frame() -> pd.DataFrame:
    unread = {"verdict": "unparsed", "correct": None, "grounded": None}
    return runs.table(
        [
            row("q1", phrasing="distant", correct=False),
            row("q2", phrasing="distant"),
            row("q3", phrasing="distant", **unread),
            row("q4", phrasing="distant", answerable=False, retrieved=None, abstained=True),
            row("q1", phrasing="plain", retrieved=False),
            row("q1", "beta", phrasing="plain", grounded=False),
            row("q1", factorial.ORACLE, phrasing="plain"),
        ]
    )


def test_rates_count_answerable_questions_arm_by_arm(frame: pd.DataFrame) -> None:
    table = factorial.rates(frame).set_index(["phrasing", "retriever", "measure"])
    assert len(table) == 4 * 3  # two arms and the oracle, one of them in both phrasings
    first = table.loc[("distant", "alpha", "correct")]
    assert (first["hits"], first["n"], first["unparsed"]) == (1, 3, 1)  # unread is wrong, unanswerable is not there
    assert first["share"] == pytest.approx(1 / 3)
    assert (first["low"], first["high"]) == pytest.approx((beta.ppf(0.025, 1, 3), beta.ppf(0.975, 2, 2)))
    assert table.loc[("distant", "alpha", "retrieved"), "hits"] == 3
    assert table.loc[("plain", "alpha", "retrieved"), "hits"] == 0
    assert table.loc[("plain", "beta", "grounded"), "hits"] == 0
    assert table.loc[("plain", factorial.ORACLE, "correct"), "share"] == 1


def test_a_table_is_made_for_each_phrasing_apart(frame: pd.DataFrame) -> None:
    def count(part: pd.DataFrame) -> pd.DataFrame:
        return part.groupby("retriever", sort=False).size().rename("rows").reset_index()

    table = factorial.by_phrasing(frame, count)
    assert table.columns[0] == "phrasing"
    assert table.to_dict("records") == [
        {"phrasing": "distant", "retriever": "alpha", "rows": 4},
        {"phrasing": "plain", "retriever": "alpha", "rows": 1},
        {"phrasing": "plain", "retriever": "beta", "rows": 1},
        {"phrasing": "plain", "retriever": factorial.ORACLE, "rows": 1},
    ]


def test_a_models_name_says_where_it_runs(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    here, far = generate.model_client(InProcess.SOURCE), generate.model_client("some/model")
    assert isinstance(here.client.client, InProcess)  # inside the one that dates answers
    assert here.model.startswith(f"{InProcess.SOURCE}@")  # the weights are part of what an answer is kept under
    assert isinstance(far.client.client, OpenAICompatible)
    assert far.model == "some/model"
    assert here.path == far.path == own_cache / "answers" / "legal-rag.jsonl"
    with pytest.raises(ModelError) as caught:  # no key was looked for until here
        far.ask([user("Who?")])
    assert "OPENAI_API_KEY" in str(caught.value.hint)
    assert not far.path.exists()
