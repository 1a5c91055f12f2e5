"""What the rubric judge measures on an answer before it decides: one row a required claim, one row a clause.

Semantic likeness comes from the two embedders of the data wheels: MiniLM for clauses, wordllama for single words (a
word of a claim counts as said when a word like it is in the answer). Everything is embedded once a text and cached by
content, a whole batch of answers at a time.

*Denied* is said of a text that was turned into its opposite by rule (`judge_text.denied`): an answer that is nearer to
the denial of a claim than to the claim is suspicious, however alike both are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from triptych.legal_rag import judge_text as read
from triptych.legal_rag.embed import Embedder
from triptych.legal_rag.judge import Case
from triptych.legal_rag.questions import Claim, Question

Floats = npt.NDArray[np.float64]
Number = tuple[float, str]
NEAR = 0.12  # windows whose score is so little below the best one's may say the claim too
EVIDENCE = 4  # sentences of the passages that a clause is compared with word by word
LIKE = 0.6  # cosine of two words from which they can stand for one another

COVERAGE = ("own", "own_window", "own_reference", "own_quote", "likeness", "assigned", "exclusive")
CONTRADICTION = ("denial", "denial_near", "scope", "parity", "negators", "sweeping", "window")
SUPPORT = (
    "likeness", "likeness_rubric", "precision", "alien", "alien_share", "alien_law", "rule", "new_numbers",
    "needed", "needed_sum", "gain", "weakest",
)  # fmt: skip


def unique(texts: Iterable[str]) -> list[str]:
    """The texts that are not blank, in order, each once."""
    return list(dict.fromkeys(text for text in texts if text.strip()))


class Space:
    """Vectors of texts and of words, made once for a whole batch of cases."""

    def __init__(self) -> None:
        self._sentences, self._words = Embedder("MiniLM"), Embedder("wordllama")
        self._text: dict[str, Floats] = {}
        self._word: dict[str, Floats] = {}

    def learn(self, texts: Iterable[str], words: Iterable[str]) -> None:
        """Embed what is not yet known."""
        for embedder, known, wanted in ((self._sentences, self._text, texts), (self._words, self._word, words)):
            fresh = [item for item in unique(wanted) if item not in known]
            if fresh:
                known |= dict(zip(fresh, embedder.texts(fresh), strict=True))

    def texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of learned texts, (n, dimensions)."""
        return np.stack([self._text[text] for text in texts]) if texts else np.zeros((0, 384))

    def match(self, wanted: Sequence[str], given: Sequence[str]) -> Floats:
        """How far each wanted word stands for each given one, (wanted, given): 1 for the same stem, else the cosine."""
        if not wanted or not given:
            return np.zeros((len(wanted), len(given)))
        cosines = np.stack([self._word[word] for word in wanted]) @ np.stack([self._word[word] for word in given]).T
        stems = np.array([read.stem(word) for word in given])
        same = np.array([read.stem(word) for word in wanted])[:, None] == stems[None, :]
        return np.where(same, 1.0, np.clip(cosines, 0, 1)).astype(np.float64)

    def best(self, wanted: Sequence[str], given: Sequence[str]) -> Floats:
        """For each wanted word how far the best of the given ones stands for it."""
        return self.match(wanted, given).max(axis=1, initial=0.0)


class Language:
    """How common each stem is in a body of law: rare words weigh more, and only words of the law make a rule."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        total = 0
        for text in texts:
            total += 1
            counts.update({read.stem(word) for word in read.words(text)})
        self._counts, self._total = counts, total

    def weight(self, word: str) -> float:
        """Inverse document frequency of a word's stem, log((N + 1) / (n + 1))."""
        return math.log((self._total + 1) / (self._counts[read.stem(word)] + 1)) + 0.01

    def legal(self, word: str) -> bool:
        """Whether the stem occurs in the body of law at all."""
        return read.stem(word) in self._counts


def quote(claim: Claim) -> str:
    """The words of the law behind a claim."""
    return " ".join(span.quote for span in claim.support)


@dataclass(frozen=True)
class Rubric:
    """A question as the judge reads it."""

    question: Question

    @cached_property
    def reference(self) -> list[str]:
        """Sentences and clauses of the reference answer."""
        whole = read.sentences(self.question.answer)
        return unique([*whole, *(clause for sentence in whole for clause in read.clauses(sentence))])

    @cached_property
    def asked(self) -> str:
        """Both phrasings of the question: its facts need no support."""
        return f"{self.question.distant} {self.question.plain or ''}"

    @cached_property
    def numbers(self) -> list[Number]:
        """Numbers that an answer may use: of the question, its claims, their quotes and the reference answer."""
        law = [text for claim in self.question.claims for text in (claim.text, quote(claim))]
        return [number for text in (self.asked, self.question.answer, *law) for number in read.numbers(text)]

    @cached_property
    def texts(self) -> list[str]:
        """Everything to be embedded."""
        claims = [text for claim in self.question.claims for text in (claim.text, quote(claim))]
        return [text for whole in (*claims, *self.reference) for text in (whole, read.denied(whole))]

    @cached_property
    def words(self) -> list[str]:
        """Every word to be embedded."""
        law = [word for text in self.texts for word in read.words(text)]
        return [*law, *read.words(self.asked), *read.words(self.question.answer)]


class Answer:
    """An answer taken apart: clauses, and the windows (runs of clauses) that may say a claim."""

    def __init__(self, case: Case, rubric: Rubric) -> None:
        self.case, self.rubric = case, rubric
        self.sentences = read.sentences(case.text)
        cut = [read.clauses(sentence) for sentence in self.sentences]
        self.clauses = [clause for part in cut for clause in part]
        ends = np.cumsum([len(part) for part in cut]).tolist()
        starts = [0, *ends[:-1]] if ends else []
        runs = [(k, k + 1) for k in range(len(self.clauses))] + [(k, k + 2) for k in range(len(self.clauses) - 1)]
        runs += list(zip(starts, ends, strict=True)) + list(zip(starts, ends[1:], strict=False))
        self.runs = list(dict.fromkeys(runs))
        self.windows = [", ".join(self.clauses[a:b]) for a, b in self.runs]
        self.clause_words = [read.words(clause) for clause in self.clauses]
        self.evidence = unique(
            piece
            for text in case.passages
            for sentence in read.sentences(text)
            for piece in (sentence, *read.clauses(sentence))
        )

    @cached_property
    def words(self) -> list[str]:
        """Content words of the answer."""
        return [word for clause in self.clause_words for word in clause]

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """Positions in `words` of each window."""
        ends = [0, *np.cumsum([len(clause) for clause in self.clause_words]).tolist()]
        return [(ends[a], ends[b]) for a, b in self.runs]


def learn(space: Space, answers: Sequence[Answer]) -> None:
    """Embed every text and word that the features of these answers need."""
    texts: list[str] = []
    words: list[str] = []
    for answer in answers:
        texts += [*answer.windows, *answer.evidence, *answer.rubric.texts]
        words += [*answer.words, *answer.rubric.words, *(w for text in answer.evidence for w in read.words(text))]
    space.learn(texts, words)


def _f1(match: Floats, places: Sequence[tuple[int, int]]) -> Floats:
    """Soft F1 of the wanted words in each window, from the (wanted, given) matrix of a whole text."""
    scores = np.zeros(len(places))
    for row, (start, end) in enumerate(places):
        if end > start and len(match):
            recall, precision = match[:, start:end].max(axis=1).mean(), match[:, start:end].max(axis=0).mean()
            scores[row] = 2 * recall * precision / max(recall + precision, 0.01)
    return scores


@dataclass(frozen=True)
class Alignment:
    """Where an answer comes nearest to a claim: the window, and how the two compare."""

    window: str
    coverage: tuple[float, ...]
    contradiction: tuple[float, ...]
    missing: tuple[Number, ...]  # numbers of the claim that the answer does not have


def align(space: Space, answer: Answer, language: Language) -> list[Alignment]:
    """One alignment a required claim; an answer without words aligns with nothing."""
    claims = answer.rubric.question.claims
    if not answer.windows or not claims:
        return [Alignment("", (0.0,) * len(COVERAGE), (0.0,) * len(CONTRADICTION), ()) for _ in claims]
    said = [_nearest(space, claim, answer.rubric.reference) for claim in claims]
    coverage = _coverage(space, answer, language, said)
    given = read.numbers(answer.case.text)
    windows = space.texts(answer.windows)
    found: list[Alignment] = []
    for place, claim in enumerate(claims):
        scores = _f1(space.match(read.words(claim.text), answer.words), answer.places)
        scores = scores + 0.5 * windows @ space.texts([claim.text])[0]
        best = int(scores.argmax())
        found.append(
            Alignment(
                answer.windows[best],
                coverage[place],
                _contradiction(space, answer, [claim.text, quote(claim), said[place]], scores, best),
                tuple(_absent(read.numbers(claim.text), given)),
            )
        )
    return found


def _coverage(space: Space, answer: Answer, language: Language, said: Sequence[str]) -> list[tuple[float, ...]]:
    """Features of whether each claim is said. *Own* words of a claim are those that no other claim of the question has:
    what is left when an answer says the others."""
    claims = answer.rubric.question.claims
    texts, quotes = [claim.text for claim in claims], [quote(claim) for claim in claims]
    windows = space.texts(answer.windows)
    to_text = windows @ space.texts(texts).T
    to_any = np.max([to_text, windows @ space.texts(quotes).T, windows @ space.texts(said).T], axis=0)
    clauses = [row for row, (start, end) in enumerate(answer.runs) if end == start + 1]
    assigned = to_text.max(axis=0)
    if len(clauses) >= len(claims):  # each clause may say one claim only
        rows, columns = linear_sum_assignment(-to_text[clauses])
        assigned[columns] = to_text[clauses][rows, columns]
    found: list[tuple[float, ...]] = []
    for place in range(len(claims)):
        rest = [k for k in range(len(claims)) if k != place]
        others = [texts[k] for k in rest]
        window = answer.places[int(to_text[:, place].argmax())]
        found.append(
            (
                _own(space, answer.words, texts[place], others, language),
                _own(space, answer.words[slice(*window)], texts[place], others),
                _own(space, answer.words, said[place], [*others, *(said[k] for k in rest)]),
                _own(space, answer.words, quotes[place], [*others, *(quotes[k] for k in rest)]),
                float(to_any[:, place].max()),
                float(assigned[place]),
                float((to_text[:, place] - to_text[:, rest].max(axis=1)).max()) if rest else 0.5,
            )
        )
    return found


def _own(
    space: Space, said: Sequence[str], text: str, others: Sequence[str], language: Language | None = None
) -> float:
    """How far the words of a text that `others` do not have (or all of them, if there are none) are said, 0 to 1."""
    wanted = read.words(text)
    if not wanted:
        return 1.0
    taken = {read.stem(word) for other in others for word in read.words(other)}
    own = np.array([read.stem(word) not in taken for word in wanted], dtype=bool)
    weights = np.array([language.weight(word) if language else 1.0 for word in wanted])
    weights = np.where(own, weights, 0.0) if own.any() else weights
    return float((space.best(wanted, said) * weights).sum() / weights.sum())


def _contradiction(
    space: Space, answer: Answer, versions: Sequence[str], scores: Floats, best: int
) -> tuple[float, ...]:
    """Features of whether the window denies a claim, which is given in several versions."""
    versions = unique(versions)
    window, windows = answer.windows[best], space.texts(answer.windows)
    gaps = windows @ (space.texts([read.denied(text) for text in versions]) - space.texts(versions)).T
    near = [row for row in scores.argsort()[::-1][:6] if scores[row] > scores[best] - NEAR]
    negations = read.negations(window)
    swept = max(read.sweeping(text) for text in versions)
    return (
        float(gaps[best].mean()),
        float(gaps[near].mean(axis=1).max()),
        float(np.mean([_scope(space, text, window) for text in versions])),
        float(np.mean([_odd(window) != _odd(text) for text in versions])),
        float(np.mean([negations % 2 != read.negations(text) % 2 for text in versions])),
        float(min(read.sweeping(window), 3) - min(swept, 3)),
        float(scores[best]),
    )


def _nearest(space: Space, claim: Claim, texts: Sequence[str]) -> str:
    """The piece of the reference answer that says a claim."""
    wanted = read.words(claim.text)
    likeness = space.texts(texts) @ space.texts([claim.text])[0]
    scores = [_f1(space.match(wanted, w := read.words(text)), [(0, len(w))])[0] for text in texts]
    return texts[int((np.array(scores) + 0.5 * likeness).argmax())]


def _odd(text: str) -> int:
    return (read.negations(text) + read.denials(text)) % 2


def _scope(space: Space, first: str, second: str) -> float:
    """Share of the words common to two texts that one of them negates and the other does not."""
    a, b = read.words(first), read.words(second)
    if not a or not b:
        return 0.0
    match = space.match(a, b)
    negated = np.array(read.negated(first), dtype=bool), np.array(read.negated(second), dtype=bool)
    if len(negated[0]) != len(a) or len(negated[1]) != len(b):
        return 0.0  # an idiom was cut out of a text: its words cannot be lined up
    common = differing = 0.0
    for mine, other, table in ((negated[0], negated[1], match), (negated[1], negated[0], match.T)):
        weights = np.where(table.max(axis=1) > LIKE - 0.05, table.max(axis=1), 0.0)
        common += float(weights.sum())
        differing += float(weights[mine != other[table.argmax(axis=1)]].sum())
    return differing / common if common else 0.0


def _absent(wanted: Sequence[Number], given: Sequence[Number]) -> list[Number]:
    return [number for number in wanted if not any(read.same_number(number, other) for other in given)]


@dataclass(frozen=True)
class Support:
    """A clause of an answer and what stands behind it."""

    clause: str
    features: tuple[float, ...]
    new: tuple[Number, ...]  # numbers that neither passages nor question nor rubric have


def support(space: Space, answer: Answer, language: Language) -> list[Support]:
    """What stands behind each clause of an answer.

    The rubric counts as support as far as the passages shown hold the words of the law behind its claims.
    """
    if not answer.clauses:
        return []
    rubric = answer.rubric
    shown = " ".join(" ".join(text.split()) for text in answer.case.passages)
    claims = [
        claim for claim in rubric.question.claims if " ".join(quote(claim).split()) in shown or _held(claim, shown)
    ]
    whole = bool(claims) and len(claims) == len(rubric.question.claims)
    backing = unique([*(claim.text for claim in claims), *(rubric.reference if whole else [])])
    vectors = space.texts(answer.clauses)
    evidence = vectors @ space.texts(answer.evidence).T if answer.evidence else np.zeros((len(vectors), 1))
    rubrics = vectors @ space.texts(backing).T if backing else np.zeros((len(vectors), 1))
    facts = [*read.words(rubric.asked), *(word for text in backing for word in read.words(text))]
    known = [n for text in (rubric.asked, *answer.case.passages, *backing) for n in read.numbers(text)]
    found: list[Support] = []
    for place, clause in enumerate(answer.clauses):
        best = [answer.evidence[k] for k in evidence[place].argsort()[::-1][:EVIDENCE]] if answer.evidence else []
        mine = answer.clause_words[place]
        words = [*facts, *(word for text in best for word in read.words(text))]
        match = np.where([word in read.SIGNPOSTS for word in mine], 1.0, space.best(mine, words))
        new = _absent(read.numbers(clause, counting=False), known)
        alien = match < LIKE
        legal = np.array([language.legal(word) for word in mine], dtype=bool)
        rest = [word for k, other in enumerate(answer.clause_words) if k != place for word in other]
        drops = [_drop(space, text, mine, rest) for text in backing]
        others = np.delete(rubrics, place, axis=0).max(axis=0, initial=0.0)
        found.append(
            Support(
                clause,
                (
                    float(evidence[place].max()),
                    float(rubrics[place].max()),
                    float(match.mean()) if mine else 1.0,
                    float((1 - match).sum()),
                    float((1 - match).sum() / max(len(mine), 3)),
                    float((alien & legal).sum()),
                    float(read.states_rule(clause)),
                    float(min(len(new), 2)),
                    max(drops, default=0.0),
                    min(sum(drops), 5.0),
                    float((rubrics[place] - others).max()),
                    float(np.sort(match)[:3].mean()) if mine else 1.0,
                ),
                tuple(new),
            )
        )
    return found


def _held(claim: Claim, shown: str) -> bool:
    """Whether nearly all words behind a claim stand in the passages shown (chunks may cut a quote in two)."""
    wanted = {read.stem(word) for word in read.words(quote(claim))}
    given = {read.stem(word) for word in read.words(shown)}
    return bool(wanted) and len(wanted & given) >= 0.9 * len(wanted)


def _drop(space: Space, text: str, mine: Sequence[str], rest: Sequence[str]) -> float:
    """How many words of a backing text only this clause says: what the answer would lose without it."""
    wanted = read.words(text)
    return float(np.clip(space.best(wanted, mine) - space.best(wanted, rest), 0, 1).sum()) if wanted else 0.0
