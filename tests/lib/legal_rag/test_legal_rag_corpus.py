"""The corpus is what the data wheel holds, and its faults are told."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from triptych import data
from triptych.errors import DataError, ParameterError
from triptych.legal_rag import corpus
from triptych.legal_rag.corpus import Article, Corpus

SCHEMA = """
CREATE TABLE regulations (
    celex TEXT, name TEXT, short_name TEXT, type TEXT, title TEXT, date_document TEXT, article_count INTEGER
);
CREATE TABLE articles (celex TEXT, article_number INTEGER, content TEXT, content_length INTEGER);
INSERT INTO regulations VALUES ('3X', 'Act', 'act', 'regulation', 'An Act', '2020-01-01', 2);
"""


def database(path: Path, rows: list[tuple[str, int, str | None, int]]) -> Path:
    with closing(sqlite3.connect(path)) as made:
        made.executescript(SCHEMA)
        made.executemany("INSERT INTO articles VALUES (?, ?, ?, ?)", rows)
        made.commit()
    return path


def test_articles_per_act(eu_law: Corpus) -> None:
    expected = {"ai-act": 113, "gdpr": 99, "cra": 71, "dora": 64, "nis2": 46, "csrd": 11}
    assert Counter(article.act for article in eu_law) == expected
    assert {name: act.kind for name, act in eu_law.acts.items() if act.kind == "directive"} == {
        "nis2": "directive",
        "csrd": "directive",
    }


def test_text_is_the_bytes_of_the_file(eu_law: Corpus) -> None:
    with closing(sqlite3.connect(data.member("eu-law", "regulations.db"))) as file:
        stored = file.execute("SELECT content FROM articles WHERE celex = '32016R0679' ORDER BY article_number")
        assert [text for (text,) in stored] == [article.text for article in eu_law if article.act == "gdpr"]


def test_the_eleven_cut_articles_are_told(eu_law: Corpus) -> None:
    cut = {defect.where for defect in corpus.defects(eu_law) if defect.kind == "cut"}
    known = "ai-act/3 ai-act/5 dora/3 nis2/6 nis2/32 cra/3 cra/13 csrd/1 csrd/3 csrd/25 csrd/29"
    assert cut == set(known.split())
    assert {len(eu_law.text(name)) for name in cut} == {corpus.CUT_AT}


def test_shifted_numbers_of_the_amending_directive_are_told(eu_law: Corpus) -> None:
    found = {defect.where: defect.detail for defect in corpus.defects(eu_law) if defect.kind == "shifted number"}
    assert found.keys() == {"csrd/25", "csrd/29", "csrd/40"}
    assert "Article 25d" in found["csrd/25"]


def test_next_heading_is_told_only_where_one_is_glued_on(eu_law: Corpus) -> None:
    found = {defect.where: defect.detail for defect in corpus.defects(eu_law) if defect.kind == "next heading"}
    assert found["gdpr/43"] == "CHAPTER V Transfers of personal data to third countries or international organisations"
    assert "ai-act/102" not in found  # ends in "… Section 2, of that Regulation shall be taken into account."
    assert all(eu_law.text(name).endswith(heading) for name, heading in found.items())


def test_defects_on_a_made_up_corpus() -> None:
    texts = {
        "a/1": "Scope 1. Whole. CHAPTER II Duties",
        "a/2": "d Title Text of it. ‘Article 26a More of it.",
        "a/4": "The end. Done at Brussels, 1 May 2020. ( 1 ) OJ <a id=x",
    }
    articles = {name: Article(name, "a", int(name[2:]), text, len(text)) for name, text in texts.items()}
    articles["a/2"] = Article("a/2", "a", 2, texts["a/2"], 99)
    made = Corpus("made up", {"a": corpus.Act("a", "3X", "regulation", "", "", declared=3)}, articles)
    assert [(defect.kind, defect.where) for defect in corpus.defects(made)] == [
        ("numbering gap", "a"),
        ("next heading", "a/1"),
        ("cut", "a/2"),
        ("shifted number", "a/2"),
        ("several in one", "a/2"),
        ("after the signature", "a/4"),
        ("markup", "a/4"),
    ]


def test_reading_a_small_file(tmp_path: Path) -> None:
    path = database(tmp_path / "small.db", [("3X", 2, "Second.", 7), ("3X", 1, "First.", 6)])
    made = corpus.load(path)
    assert list(made.articles) == ["act/1", "act/2"]
    assert made.text("act/2") == "Second."
    assert made.only(["act/2"]).articles.keys() == {"act/2"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no articles"),
        ([("3X", 1, "", 0)], "act/1 has no text"),
        ([("3X", 1, None, 0)], "act/1 has no text"),
        ([("3X", 1, "One.", 4), ("3X", 1, "Two.", 4)], "act/1 is there twice"),
        ([("9Z", 1, "One.", 4)], "belongs to 9Z"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, rows: list[tuple[str, int, str | None, int]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        corpus.load(database(tmp_path / "faulty.db", rows))


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, by a long way" * 50)
    with pytest.raises(DataError, match="not the database expected"):
        corpus.load(tmp_path / "text.db")
    with pytest.raises(DataError, match="does not exist"):
        corpus.load(tmp_path / "absent.db")


def test_unknown_names(eu_law: Corpus) -> None:
    with pytest.raises(DataError, match="no article 'gdpr/100'"):
        eu_law.text("gdpr/100")
    with pytest.raises(DataError, match="no article"):
        eu_law.only(["gdpr/1", "gdpr/100"])
    with pytest.raises(ParameterError, match="no act 'gpdr'"):
        eu_law.only_acts(["gpdr"])
    assert eu_law.only_acts(["gdpr"]).digest != eu_law.digest
