"""Benchmarks are read whole or refused; the paper's own data need a network and say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from triptych.errors import DataError, ParameterError
from triptych.legal_rag import benchmark, score

CORPUS = [
    {"id": "1.2.1-c1-s1", "title": "T", "text": "The jury must be sure.", "footnotes": "n"},
    {"id": "2.1-c1-s1", "title": "T", "text": "Proof beyond reasonable doubt.", "footnotes": None},
    {"id": "3", "title": "T", "text": "The jury must be sure.", "footnotes": None},
]
QA = [{"id": 1, "question": "How certain?", "answer": "Sure.", "relevant_passage_id": "2.1-c1-s1"}]


def files(folder: Path, corpus: list[dict[str, Any]] = CORPUS, qa: list[dict[str, Any]] = QA) -> tuple[Path, Path]:
    paths = folder / "corpus.jsonl", folder / "qa.jsonl"
    for path, rows in zip(paths, (corpus, qa), strict=True):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return paths


def test_the_papers_schema(tmp_path: Path, own_cache: Path) -> None:
    made = benchmark.read(*files(tmp_path))
    assert [passage.article for passage in made.passages] == ["1.2.1-c1-s1", "2.1-c1-s1", "3"]
    (item,) = made.questions
    assert (item.id, item.distant, item.gold[0].quote) == ("1", "How certain?", "Proof beyond reasonable doubt.")
    assert score.is_hit(item, made.passages[1:2])
    assert not score.is_hit(item, made.passages[:1])  # its id contains the gold id: the released code's mistake
    assert [defect.where for defect in made.defects] == ["1.2.1-c1-s1", "3"]
    assert {defect.kind for defect in made.defects} == {"duplicate text"}


def test_blank_passages_are_told_and_never_searched(tmp_path: Path, own_cache: Path) -> None:
    blank = [{**CORPUS[0], "id": "4", "text": " \n"}, {**CORPUS[0], "id": "5", "text": None}]
    made = benchmark.read(*files(tmp_path, [*CORPUS, *blank]))
    assert [(defect.kind, defect.where) for defect in made.defects if defect.kind == "empty"] == [
        ("empty", "4"),
        ("empty", "5"),
    ]
    assert [passage.article for passage in made.passages] == ["1.2.1-c1-s1", "2.1-c1-s1", "3"]


def test_ids_may_be_numbers(tmp_path: Path, own_cache: Path) -> None:
    corpus = [{"id": 7, "title": "", "text": "Text.", "footnotes": ""}]
    made = benchmark.read(*files(tmp_path, corpus, [{**QA[0], "relevant_passage_id": 7}]))
    assert made.questions[0].gold[0].article == "7"


def test_changed_rows_are_read_again(tmp_path: Path, own_cache: Path) -> None:
    benchmark.read(*files(tmp_path))
    changed = benchmark.read(*files(tmp_path, [*CORPUS, {**CORPUS[0], "id": "4", "text": "New."}]))
    assert len(changed.passages) == 4


@pytest.mark.parametrize(
    ("corpus", "qa", "message"),
    [
        (CORPUS, [{**QA[0], "relevant_passage_id": "9"}], "needs passage 9, which the corpus has not"),
        ([*CORPUS, CORPUS[0]], QA, "passage 1.2.1-c1-s1 is there twice"),
        (CORPUS, [*QA, *QA], "question 1 is there twice"),
        (CORPUS, [{**QA[0], "answer": ""}], "no text or no answer"),
        ([{**row, "text": ""} for row in CORPUS], QA, "which is empty"),
        ([{"id": "1", "title": "T"}], QA, "no column 'text'"),
        ([], QA, "corpus.jsonl holds no passages"),
        (CORPUS, [], "qa.jsonl holds no questions"),
        ([{**CORPUS[0], "id": None}, *CORPUS[1:]], QA, r"corpus\.jsonl: row 1: id is None"),
        ([*CORPUS[:1], {"title": "T", "text": "No id."}], QA, r"corpus\.jsonl: row 2: id is None"),
        (CORPUS, [QA[0], {**QA[0], "id": " "}], r"qa\.jsonl: row 2: id is ' '"),
        (CORPUS, [{**QA[0], "relevant_passage_id": None}], "question 1: relevant_passage_id is None"),
        (CORPUS, [{**QA[0], "id": True}], "id is True"),
        (CORPUS, [{**QA[0], "id": 1.5}], "id is 1.5"),
        (CORPUS, [{**QA[0], "question": 7}], "question 1 is 7, which is no text"),
    ],
)
def test_faulty_files_are_refused(
    tmp_path: Path, own_cache: Path, corpus: list[dict[str, Any]], qa: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        benchmark.read(*files(tmp_path, corpus, qa))
    assert "HF_HUB_OFFLINE" not in str(caught.value)  # no network would help


def test_ids_that_look_like_dates_or_have_a_decimal_point_stay_what_they_are(tmp_path: Path, own_cache: Path) -> None:
    corpus = [{"id": name, "title": "", "text": f"Text of\u2028{name}."} for name in ("2024-01-01", "2024-02-01", "3")]
    qa = [{**QA[0], "id": n, "relevant_passage_id": gold} for n, gold in ((1, "2024-01-01"), (2.0, 3.0))]
    made = benchmark.read(*files(tmp_path, corpus, qa))
    assert [passage.article for passage in made.passages] == ["2024-01-01", "2024-02-01", "3"]
    assert [(item.id, item.gold[0].article) for item in made.questions] == [("1", "2024-01-01"), ("2", "3")]


def test_pandas_whole_numbers_with_gaps_are_found_in_parquet(tmp_path: Path, own_cache: Path) -> None:
    corpus, qa = tmp_path / "corpus.parquet", tmp_path / "qa.parquet"
    pd.DataFrame({"id": [1, 2], "text": ["One rule.", "Another rule."]}).to_parquet(corpus)
    rows = pd.DataFrame([{**QA[0], "id": number, "relevant_passage_id": gold} for number, gold in ((7, 2), (8, None))])
    assert rows["relevant_passage_id"].dtype == float
    rows.head(1).to_parquet(qa)
    assert benchmark.read(corpus, qa).questions[0].gold[0].article == "2"
    rows.to_parquet(qa)
    with pytest.raises(DataError, match="question 8: relevant_passage_id is"):
        benchmark.read(corpus, qa)


def test_something_that_is_not_json_is_refused(tmp_path: Path, own_cache: Path) -> None:
    corpus, qa = files(tmp_path)
    corpus.write_text("{broken")
    with pytest.raises(DataError, match=r"corpus\.jsonl cannot be read"):
        benchmark.read(corpus, qa)


def test_no_network_is_a_clear_error(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    with pytest.raises(DataError, match=r"could not download corpus\.jsonl of isaacus/legal-rag-bench") as caught:
        benchmark.legal_rag_bench(endpoint="http://127.0.0.1:9")  # the discard port: nobody listens
    assert "need no network" in str(caught.value)
    assert not (own_cache / "hub").exists()


def test_other_bytes_than_the_pinned_are_refused(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, qa = files(tmp_path)
    served = {"corpus.jsonl": corpus, "qa.jsonl": qa}
    monkeypatch.setattr(benchmark, "_download", lambda source, name, endpoint: served[name])
    with pytest.raises(DataError, match="not the pinned file") as caught:
        benchmark.legal_rag_bench()
    assert benchmark.FILES["corpus.jsonl"] in str(caught.value)
    assert not list(own_cache.glob("hub/**/*.jsonl"))


def test_verified_files_are_kept_and_need_no_network(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, qa = files(tmp_path)
    served = {"corpus.jsonl": corpus, "qa.jsonl": qa}
    monkeypatch.setattr(benchmark, "FILES", {name: benchmark.data.sha256(path) for name, path in served.items()})
    monkeypatch.setattr(benchmark, "_download", lambda source, name, endpoint: served[name])
    assert len(benchmark.legal_rag_bench().passages) == 3

    def offline(source: benchmark.Pinned, name: str, endpoint: str | None) -> Path:
        raise AssertionError("downloaded again")

    monkeypatch.setattr(benchmark, "_download", offline)
    assert len(benchmark.legal_rag_bench().passages) == 3
    kept = next(own_cache.glob("hub/**/corpus.jsonl"))
    kept.write_text(kept.read_text() + "{}\n")
    with pytest.raises(DataError, match="not the pinned file"):
        benchmark.legal_rag_bench()


def test_parquet_and_other_data_sets_of_the_schema(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: dict[str, Path] = {}
    for name, rows in (("corpus.parquet", CORPUS), ("qa.parquet", QA)):
        served[name] = tmp_path / name
        pd.DataFrame(rows).to_parquet(served[name])
    monkeypatch.setattr(benchmark, "_download", lambda source, name, endpoint: served[name])
    pins = {name: benchmark.data.sha256(path) for name, path in served.items()}
    made = benchmark.from_hub(benchmark.Pinned("someone/else", "abc", pins))
    assert (made.name, len(made.passages), made.questions[0].id) == ("someone/else", 3, "1")
    assert next(own_cache.glob("hub/someone--else/abc/qa.parquet"))
    with pytest.raises(ParameterError, match="1 files are named"):
        benchmark.Pinned("someone/else", "abc", {"corpus.parquet": "0"})
    broken = tmp_path / "broken.parquet"
    broken.write_text("no parquet")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        benchmark.read(broken, served["qa.parquet"])


def test_a_passage_with_the_gold_text_is_another_sufficient_one(tmp_path: Path, own_cache: Path) -> None:
    twin = {**QA[0], "id": 2, "relevant_passage_id": "3"}
    alone, doubled = benchmark.read(*files(tmp_path, qa=[*QA, twin])).questions
    assert alone.sufficient == ()
    (gold,), ((other,),) = doubled.gold, doubled.sufficient
    assert (gold.article, other.article, other.quote) == ("3", "1.2.1-c1-s1", gold.quote)
    first, second, third = benchmark.read(*files(tmp_path)).passages
    for rule, hits in ((score.HALF, [False, False, True]), (score.SUFFICIENT, [True, False, True])):
        assert [score.is_hit(doubled, [passage], rule) for passage in (first, second, third)] == hits


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_benchmarks_by_name(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = benchmark.named("eu-law", ["nis2/28", "nis2/35"], 100)
    assert (ours.name, ours.chunker, len(ours.unanswerable)) == ("EU law", "semchunk 100", 12)
    assert not any(item.answerable for item in ours.unanswerable)
    corpus, qa = files(tmp_path)
    local = benchmark.named(str(tmp_path))
    assert (local.name, local.chunker, len(local.passages)) == (tmp_path.name, "as given", 3)
    assert local.unanswerable == []
    assert local.digest == benchmark.named(str(tmp_path)).digest
    qa.write_text(qa.read_text().replace("Sure.", "Quite sure."))
    assert local.digest != benchmark.named(str(tmp_path)).digest
    served = {"data/corpus.jsonl": corpus, "data/qa.jsonl": qa}
    monkeypatch.setattr(benchmark, "_listed", lambda *_: ["README.md", *served])
    monkeypatch.setattr(benchmark, "_download", lambda source, name, endpoint: served[f"data/{name}"])
    made = benchmark.named(f"someone/else@{COMMIT}")
    assert (made.name, len(made.questions)) == ("someone/else", 1)

    def offline(*_: object) -> None:
        raise AssertionError("asked the hub again")

    monkeypatch.setattr(benchmark, "_listed", offline)
    monkeypatch.setattr(benchmark, "_download", offline)
    assert benchmark.named(f"someone/else@{COMMIT}").digest == made.digest
    monkeypatch.setattr(benchmark, "legal_rag_bench", lambda: made)
    assert benchmark.named("legal-rag-bench") is made


@pytest.mark.parametrize("name", ["", "eu", "someone/else", "someone/else@main", f"else@{COMMIT}", "no/such/folder"])
def test_a_name_that_is_no_benchmark_is_told_which_are(name: str) -> None:
    with pytest.raises(ParameterError) as caught:
        benchmark.named(name)
    assert caught.value.message == f"no benchmark is called {name!r}"
    for known in ("eu-law", "legal-rag-bench", "owner/name@revision", "folder"):
        assert known in str(caught.value.hint)


def test_a_folder_without_or_with_too_many_files_and_articles_of_another_corpus(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no corpus\.jsonl or corpus\.parquet"):
        benchmark.named(str(tmp_path))
    files(tmp_path)
    (tmp_path / "qa.parquet").touch()
    with pytest.raises(DataError, match=r"holds qa\.jsonl and qa\.parquet"):
        benchmark.named(str(tmp_path))
    with pytest.raises(ParameterError, match="articles are those of eu-law"):
        benchmark.named("legal-rag-bench", ["gdpr/17"])


def test_a_data_set_that_cannot_be_listed_is_a_clear_error(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(self: object, repository: str, **_: object) -> list[str]:
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", nobody)
    with pytest.raises(DataError, match="could not list the files of someone/else"):
        benchmark.named(f"someone/else@{COMMIT}")


def test_our_benchmark_in_part() -> None:
    made = benchmark.eu_law(["nis2/28", "nis2/35", "gdpr/33"])
    assert {passage.article for passage in made.passages} == {"nis2/28", "nis2/35", "gdpr/33"}
    assert [item.gold[0].article for item in made.questions] == ["nis2/35", "nis2/28"]  # gdpr/33 needs gdpr/34 too
    with pytest.raises(DataError, match="no article 'nis2/99'"):
        benchmark.eu_law(["nis2/99"])
    with pytest.raises(ParameterError, match="decide none of the questions"):
        benchmark.eu_law(["gdpr/1"])
