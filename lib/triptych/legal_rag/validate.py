"""What makes a question unfit for the benchmark. Each check returns complaints that say which item and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from triptych.errors import DataError
from triptych.legal_rag import lexical
from triptych.legal_rag.corpus import Corpus
from triptych.legal_rag.questions import PHRASINGS, Claim, Phrasing, Question, Span

# A distant phrasing may share at most this part of its different content stems with its gold spans taken together. The
# aim for the whole set is a median of at most 0.30 against the gold *passages*, which are longer than the spans; one
# item may lie above the median, but beyond a third it is no longer distant.
MAX_SHARE = 1 / 3

# At least this part of a claim's content stems and digits must stand in the words that it rests on. It catches a claim
# about something else, not a wrong one: everyday words share few stems with the law's, so it cannot be high. The lowest
# claim of our set has 0.14; of claims set beside the support of a claim of another item 82 % fall below 0.1.
MIN_SUPPORT = 0.1

TAGS = frozenset({"two-passages", "yes-no", "numeric", "definition", "exception", "deadline", "unanswerable"})


def problems(items: Sequence[Question], corpus: Corpus, max_share: float = MAX_SHARE) -> list[str]:
    """Every complaint about every item, "id: what is wrong"; empty for a set that is fit to use."""
    found = _duplicates(items)
    for item in items:
        complaints = [*_spans(item, corpus), *_claims(item), *_shape(item)]
        if not complaints:  # word counts of a wrong span mean nothing
            complaints = _distance(item, max_share)
        found += [f"{item.id}: {complaint}" for complaint in complaints]
    return found


def check(items: Sequence[Question], corpus: Corpus, max_share: float = MAX_SHARE) -> None:
    """Raise DataError with every complaint, unless there is none."""
    if found := problems(items, corpus, max_share):
        raise DataError("the question set is not fit to use:\n  " + "\n  ".join(found), "correct questions.jsonl")


def _duplicates(items: Sequence[Question]) -> list[str]:
    ids = Counter(item.id for item in items)
    texts = Counter(" ".join(text.lower().split()) for item in items for text in (item.distant, item.plain) if text)
    return [f"{name}: {count} items have this id" for name, count in ids.items() if count > 1] + [
        f"the same question is asked {count} times: {text[:60]}…" for text, count in texts.items() if count > 1
    ]


def _spans(item: Question, corpus: Corpus) -> list[str]:
    groups = {"gold": item.gold, "sufficient": [span for group in item.sufficient for span in group]}
    complaints = [
        f"{kind} span {span}: {fault}"
        for kind, spans in groups.items()
        for span in spans
        if (fault := _fault(span, corpus))
    ]
    ordered = sorted(item.gold, key=lambda span: (span.article, span.start))
    complaints += [
        f"gold spans {one} and {other} overlap"
        for one, other in pairwise(ordered)
        if one.article == other.article and other.start < one.end
    ]
    gold = {str(span) for span in item.gold}
    complaints += [
        f"sufficient set {number} {'is empty' if not group else 'holds all of the gold'}, so it stands for nothing else"
        for number, group in enumerate(item.sufficient, start=1)
        if not group or (gold and gold <= {str(span) for span in group})
    ]
    return complaints


def _fault(span: Span, corpus: Corpus) -> str | None:
    if span.article not in corpus.articles:
        return "the corpus has no such article"
    text = corpus.text(span.article)
    if not 0 <= span.start < span.end <= len(text):
        return f"outside the article, which has {len(text)} characters"
    there = text[span.start : span.end]
    if there != span.quote:
        return f"the corpus has {there[:50]!r} there, not {span.quote[:50]!r}"
    if there != there.strip():
        return "begins or ends with white space"
    return None


def _claims(item: Question) -> list[str]:
    complaints: list[str] = []
    if item.answerable and not item.claims:
        complaints.append("is answerable but requires no claim")
    for number, claim in enumerate(item.claims, start=1):
        if not claim.support:
            complaints.append(f"claim {number} has no support span")
        for span in claim.support:
            inside = [
                gold
                for gold in item.gold
                if gold.article == span.article and gold.start <= span.start < span.end <= gold.end
            ]
            if not inside:
                complaints.append(f"claim {number}: support {span} lies in no gold span")
            elif inside[0].quote[span.start - inside[0].start : span.end - inside[0].start] != span.quote:
                complaints.append(f"claim {number}: support {span} does not read {span.quote[:50]!r}")
        if not complaints and (share := _supported(claim, item)) < MIN_SUPPORT:
            complaints.append(
                f"claim {number} shares {share:.2f} of its content stems with its support, less than {MIN_SUPPORT}: "
                f"{claim.text[:50]!r}"
            )
    needed = {str(span) for span in item.gold}
    used = {
        str(gold)
        for gold in item.gold
        for claim in item.claims
        for span in claim.support
        if gold.article == span.article and gold.start <= span.start and span.end <= gold.end
    }
    complaints += [f"no claim rests on gold span {name}" for name in sorted(needed - used)]
    return complaints


def _supported(claim: Claim, item: Question) -> float:
    """The part of a claim's content stems and digits that stand in its support.

    A support that refers elsewhere ("the second subparagraph of Article 10(1)") speaks through what it refers to; then
    the item's whole gold counts.
    """
    said, support = _words(claim.text), " ".join(span.quote for span in claim.support)
    if _REFERENCE.search(support):
        support = f"{support} {' '.join(span.quote for span in item.gold)}"
    return len(said & _words(support)) / len(said) if said else 0.0


def _words(text: str) -> set[str]:
    return {*lexical.stems(text), *re.findall(r"\b\d\b", text)}  # stems leave single digits out, and "2 %" may be all


_REFERENCE = re.compile(r"\b(Articles?|paragraphs?|points?|subparagraphs?) \(?\d|\bpoints? \([a-z]\)")


def _shape(item: Question) -> list[str]:
    complaints = [f"unknown tag {tag!r}" for tag in item.tags if tag not in TAGS]
    if not item.distant.strip() or not item.answer.strip():
        complaints.append("the question or its answer is empty")
    if item.answerable and not (item.plain or "").strip():
        complaints.append("is answerable but has no plain phrasing")
    if item.answerable == ("unanswerable" in item.tags):
        complaints.append("has the tag 'unanswerable' exactly when it has no gold span, which does not hold")
    if not item.answerable and (item.claims or item.sufficient):
        complaints.append("has no gold span, so it can have neither claims nor other sufficient spans")
    if (len(item.gold) > 1) != ("two-passages" in item.tags):
        complaints.append("has the tag 'two-passages' exactly when it has several gold spans, which does not hold")
    return complaints


def _distance(item: Question, max_share: float) -> list[str]:
    if not item.answerable:
        return []
    found = lexical.overlap(item.distant, " ".join(span.quote for span in item.gold))
    if found.share <= max_share:
        return []
    return [
        f"the distant phrasing shares {found.share:.2f} of its content stems with the gold spans, more than "
        f"{max_share:.2f}: {', '.join(found.shared)}"
    ]


def statistics(
    items: Sequence[Question], gold_text: dict[str, str], phrasings: Sequence[Phrasing] = PHRASINGS
) -> pd.DataFrame:
    """Lexical overlap of every answerable question and phrasing with its gold.

    `gold_text` gives, by question id, the text to compare with: the gold passages of a chunking. Columns: question,
    phrasing, stems (content stems of the question), share and jaccard (with the passages), span_share (with the spans
    alone), shared (the common stems).
    """
    rows: list[dict[str, object]] = []
    for item in items:
        if not item.answerable:
            continue
        spans = " ".join(span.quote for span in item.gold)
        for phrasing in phrasings:
            text = item.phrased(phrasing)
            with_passages = lexical.overlap(text, gold_text[item.id])
            rows.append(
                {
                    "question": item.id,
                    "phrasing": phrasing,
                    "stems": len(lexical.stems(text)),
                    "share": with_passages.share,
                    "jaccard": with_passages.jaccard,
                    "span_share": lexical.overlap(text, spans).share,
                    "shared": ", ".join(with_passages.shared),
                }
            )
    return pd.DataFrame(rows)
