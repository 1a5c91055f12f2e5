"""What the rubric judge measures on an answer before it decides: rows for claims, clauses and sentences.

* a row a required claim: is it said (*coverage*), is it denied (*contradiction*)?
* a row a clause: is it backed by the passages, the question or what the passages hold of the rubric (*support*)?
* a row an answer: does it decline to answer (*abstention*)?

*Denied* is said of a text that was turned into its opposite by rule (`judge_text.denied`): an answer that is nearer to
the denial of a claim than to the claim is suspicious, however alike both are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from triptych.legal_rag import judge_text as read
from triptych.legal_rag.judge import Case
from triptych.legal_rag.judge_space import Floats, Language, Space, Words, unique
from triptych.legal_rag.questions import Claim, Question

Number = tuple[float, str]
NEAR = 0.12  # windows whose score is so little below the best one's may say the claim too
EVIDENCE = 8  # sentences of the passages, those that share most with the answer, with which its clauses are compared
ALIEN = 0.55  # match below which a word has no source
POLITE = 1.0  # log-odds above which a clause without a number is taken for a mere courtesy
LEAST_WORDS = 2  # content words below which a clause states nothing that could lack support
SHORTEST = 5  # words below which part of a sentence is not looked at by itself for a claim
LIKE = 0.55  # cosine of two words out of context from which they can stand for one another

COVERAGE = (
    "claim", "claim_own", "claim_new", "in_others", "in_question", "own_sentence", "own_lowest",
    "reference", "reference_own", "reference_new", "quote", "quote_own", "quote_new",
    "likeness", "likeness_reference", "exclusive", "exclusive_reference", "number", "length", "longer", "claims",
)  # fmt: skip
CUES = tuple(
    """not no never none nothing neither nor nobody cannot without even only already still also too any all whatever
    regardless whether unless until except but although though need needs have must may can shall should could would
    lower higher sooner later earlier smaller bigger before after more less longer shorter least same other instead free
    voluntary exempt exempted bound obliged allowed permitted forbidden required excluded included apply applies counts
    wrong right remain remains stays changes limit always anyway merely itself first elsewhere""".split()  # noqa: SIM905
)  # words that a denial of a claim gains or loses
CONTRADICTION = (
    "denial", "denial_near", "scope", "parity", "negators", "sweeping", "window", "likeness", "length",
    "parity_all", "scope_all", "odd", "odd_claim", "short",
    "force", "force_quote", *read.FORCES, *(f"{one} > {other}" for one in read.FORCES for other in read.FORCES),
    *(f"gains {word}" for word in CUES), *(f"loses {word}" for word in CUES),
)  # fmt: skip
SUPPORT = (
    "match", "match_law", "alien", "alien_legal", "lowest", "likeness_law", "likeness_rubric", "likeness_question",
    "likeness_sentence", "alien_law", "needed", "needed_sum", "rule", "new_numbers", "length", "aliens", "aliens_legal",
    "alien_share", "beyond_question", "courtesy",
)  # fmt: skip
ABSTENTION = ("refusal", "refusal_whole", "phrases", "covered", "rules", "short")
SORTS = ("refusal", "statement", "courtesy")


def quote(claim: Claim) -> str:
    """The words of the law behind a claim."""
    return " ".join(span.quote for span in claim.support)


def pieces(text: str) -> list[str]:
    """Sentences of a text, and their clauses, each once."""
    whole = read.sentences(text)
    return unique([*whole, *(clause for sentence in whole for clause in read.clauses(sentence))])


@dataclass(frozen=True)
class Rubric:
    """A question as the judge reads it."""

    question: Question

    @cached_property
    def reference(self) -> list[str]:
        """Sentences and clauses of the reference answer."""
        return pieces(self.question.answer)

    @cached_property
    def asked(self) -> list[str]:
        """Sentences of both phrasings of the question: its facts need no support."""
        return [*read.sentences(self.question.distant), *read.sentences(self.question.plain or "")]

    @cached_property
    def texts(self) -> list[str]:
        """Everything to be embedded."""
        claims = [text for claim in self.question.claims for text in (claim.text, quote(claim))]
        quotes = [sentence for claim in self.question.claims for sentence in read.sentences(quote(claim))]
        both = [text for whole in (*claims, *self.reference) for text in (whole, read.denied(whole))]
        return [*both, *quotes, *self.asked, *read.sentences(self.question.answer)]


class Answer:
    """An answer taken apart: sentences, clauses, the windows (runs of clauses) that may say a claim, and the sentences
    of the passages that it may rest on."""

    def __init__(self, case: Case, rubric: Rubric) -> None:
        self.case, self.rubric = case, rubric
        self.sentences = read.sentences(case.text)
        cut = [(read.clauses(sentence), sentence) for sentence in self.sentences]
        self.clauses = [clause for part, _ in cut for clause in part]
        self.homes = [sentence for part, sentence in cut for _ in part]  # the sentence of each clause
        windows: list[str] = []
        for part, sentence in cut:
            windows += [sentence, *(one for one in part if len(one.split()) >= SHORTEST)]
            windows += [", ".join(part[k : k + 2]) for k in range(len(part) - 1)]
        self.windows = unique(windows)
        self.evidence = _nearest_sentences(case.passages, case.text)
        self.shown = " ".join(" ".join(text.split()) for text in case.passages)
        self._plain = [f" {_plain(text)} " for text in case.passages]

    def quotes(self, text: str) -> bool:
        """Whether a text of three words or more stands word for word in one of the passages, whatever its signs."""
        plain = _plain(text)
        return plain.count(" ") >= 2 and any(f" {plain} " in passage for passage in self._plain)

    @property
    def texts(self) -> list[str]:
        """Everything to be embedded."""
        law = [piece for sentence in self.evidence for piece in (sentence, *read.clauses(sentence))]
        whole = [self.case.text] if self.case.text.strip() else []
        return [*whole, *self.sentences, *self.windows, *self.clauses, *law, *self.rubric.texts]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _nearest_sentences(passages: Sequence[str], text: str) -> list[str]:
    """The sentences of the passages that share the most different stems with a text, in the order of the passages.

    A set: the order of the passages does not matter to which are taken.
    """
    stems = {read.stem(word) for word in read.words(text)}
    sentences = sorted({sentence for passage in passages for sentence in read.sentences(passage)})
    shared = [len(stems & {read.stem(word) for word in read.words(sentence)}) for sentence in sentences]
    ranked = sorted(range(len(sentences)), key=lambda row: (-shared[row], sentences[row]))
    return [sentences[row] for row in ranked[:EVIDENCE]]


def learn(space: Space, answers: Sequence[Answer]) -> None:
    """Embed every text that the features of these answers need."""
    space.learn(text for answer in answers for text in answer.texts)


# --- claims ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alignment:
    """Where an answer comes nearest to a claim: the window, and how the two compare."""

    window: str
    coverage: tuple[float, ...]
    contradiction: tuple[float, ...]
    missing: tuple[Number, ...]  # numbers of the claim that the answer does not have
    quoted: bool = False  # the window stands word for word in one of the passages shown


def align(space: Space, answer: Answer, language: Language) -> list[Alignment]:
    """One alignment a required claim; an answer without words aligns with nothing."""
    claims = answer.rubric.question.claims
    if not answer.windows or not claims:
        return [Alignment("", (0.0,) * len(COVERAGE), (0.0,) * len(CONTRADICTION), ()) for _ in claims]
    reference = space.vectors(answer.rubric.reference)
    own = space.vectors([claim.text for claim in claims])
    said = [answer.rubric.reference[row] for row in (own @ reference.T).argmax(axis=1)]
    given = read.numbers(answer.case.text)
    told = [number for text in answer.rubric.asked for number in read.numbers(text)]  # need not be said again
    missing = [tuple(_absent(_absent(read.numbers(claim.text), told), given)) for claim in claims]
    coverage = _coverage(space, answer, language, said, missing)
    found: list[Alignment] = []
    for place, claim in enumerate(claims):
        wanted = read.words(claim.text)
        scores = np.array([_f1(space.static(wanted, read.words(window))) for window in answer.windows])
        scores = scores + 0.5 * space.vectors(answer.windows) @ own[place]
        best = int(scores.argmax())
        versions = unique([claim.text, quote(claim), said[place]])
        found.append(
            Alignment(
                answer.windows[best],
                coverage[place],
                _contradiction(space, answer, versions, scores, best),
                missing[place],
                answer.quotes(answer.windows[best]),
            )
        )
    return found


def _coverage(
    space: Space, answer: Answer, language: Language, said: Sequence[str], missing: Sequence[tuple[Number, ...]]
) -> list[tuple[float, ...]]:
    """Features of whether each claim is said. A claim's *own* words are those that no other claim of the question
    stands for, its *new* words those that the question does not hold either: what is left when an answer says the
    other claims and repeats the question."""
    claims = answer.rubric.question.claims
    texts = [claim.text for claim in claims]
    versions = [[[text] for text in texts], [[text] for text in said], [read.sentences(quote(each)) for each in claims]]
    whole = space.words(answer.sentences)
    sentences = [space.words([sentence]) for sentence in answer.sentences]
    asked = space.words(answer.rubric.asked)
    near = space.vectors(answer.windows)
    to_text, to_said = near @ space.vectors(texts).T, near @ space.vectors(said).T
    total = sum(len(space.words([text]).words) for text in texts)
    found: list[tuple[float, ...]] = []
    for place in range(len(claims)):
        rest = [k for k in range(len(claims)) if k != place]
        others = space.words([texts[k] for k in rest])
        row: list[float] = []
        for number, version in enumerate(versions):
            wanted = space.words(version[place])
            weights, match = language.weights(wanted.words), space.best(wanted, whole)
            elsewhere, before = space.best(wanted, others), space.best(wanted, asked)
            own = weights * (1 - elsewhere) + 1e-6
            new = weights * (1 - np.maximum(elsewhere, before)) + 1e-6
            row += [_mean(match, weights), _mean(match, own), _mean(match, new)]
            if number == 0:
                alone = [_mean(space.best(wanted, sentence), own) for sentence in sentences]
                lowest = np.sort(match[np.argsort(-own, kind="stable")[:4]])[:2]
                row += [_mean(elsewhere, weights), _mean(before, weights), max(alone, default=0.0)]
                row.append(float(lowest.mean()) if len(lowest) else 1.0)
        row += [float(to_text[:, place].max()), float(to_said[:, place].max())]
        for near_to in (to_text, to_said):
            row.append(float((near_to[:, place] - near_to[:, rest].max(axis=1)).max()) if rest else 0.3)
        size = len(whole.words)
        row += [float(bool(missing[place])), float(np.log2(size + 1)), size / max(total, 1), float(len(claims))]
        found.append(tuple(row))
    return found


def _mean(values: Floats, weights: Floats) -> float:
    return float((values * weights).sum() / weights.sum()) if len(values) else 1.0


def _f1(match: Floats) -> float:
    """Soft F1 of the wanted words in a text, from the (wanted, given) matrix."""
    if not match.size:
        return 0.0
    recall, precision = float(match.max(axis=1).mean()), float(match.max(axis=0).mean())
    return 2 * recall * precision / max(recall + precision, 0.01)


def _contradiction(
    space: Space, answer: Answer, versions: Sequence[str], scores: Floats, best: int
) -> tuple[float, ...]:
    """Features of whether the window denies a claim, which is given in several versions."""
    window, windows = answer.windows[best], space.vectors(answer.windows)
    gaps = windows @ (space.vectors([read.denied(text) for text in versions]) - space.vectors(versions)).T
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
        float((windows[best] @ space.vectors(versions).T).max()),
        len(answer.case.text.split()) / 100,
        float(all(_odd(window) != _odd(text) for text in versions)),
        float(min(_scope(space, text, window) for text in versions)),
        float(_odd(window)),
        float(_odd(versions[0])),
        float(np.log(len(window.split()))),
        *_forces(window, versions),
        *_cues(window, versions),
    )


def _forces(window: str, versions: Sequence[str]) -> list[float]:
    """How far the window does to people what the claim and its quote do, what it does, and each pair of what the claim
    and what the window does ("obliges > frees")."""
    mine, claim, law = (
        np.array(read.forces(text), dtype=float) for text in (window, versions[0], versions[min(1, len(versions) - 1)])
    )
    return [
        float((mine[:5] == claim[:5]).mean()),
        float((mine[:5] == law[:5]).mean()),
        *mine.tolist(),
        *np.outer(claim, mine).ravel().tolist(),
    ]


def _cues(window: str, versions: Sequence[str]) -> list[float]:
    """For each cue whether the window has it and no version of the claim, then whether only the claim itself has it."""
    mine, claim, known = (
        set(re.findall(r"[a-z]+", text.lower())) for text in (window, versions[0], " ".join(versions))
    )
    gains = [float(cue in mine and cue not in known) for cue in CUES]
    return [*gains, *(float(cue in claim and cue not in mine) for cue in CUES)]


def _odd(text: str) -> int:
    return (read.negations(text) + read.denials(text)) % 2


def _scope(space: Space, first: str, second: str) -> float:
    """Share of the words common to two texts that one of them negates and the other does not."""
    a, b = read.words(first), read.words(second)
    if not a or not b:
        return 0.0
    match = space.static(a, b)
    negated = np.array(read.negated(first), dtype=bool), np.array(read.negated(second), dtype=bool)
    if len(negated[0]) != len(a) or len(negated[1]) != len(b):
        return 0.0  # an idiom was cut out of a text: its words cannot be lined up
    common = differing = 0.0
    for mine, other, table in ((negated[0], negated[1], match), (negated[1], negated[0], match.T)):
        weights = np.where(table.max(axis=1) > LIKE, table.max(axis=1), 0.0)
        common += float(weights.sum())
        differing += float(weights[mine != other[table.argmax(axis=1)]].sum())
    return differing / common if common else 0.0


def _absent(wanted: Sequence[Number], given: Sequence[Number]) -> list[Number]:
    return [number for number in wanted if not any(read.same_number(number, other) for other in given)]


# --- clauses ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Support:
    """A clause of an answer and what stands behind it."""

    clause: str
    features: tuple[float, ...]
    new: tuple[Number, ...]  # numbers that neither passages nor question nor rubric have
    quoted: bool  # word for word in one of the passages shown

    @property
    def excused(self) -> bool:
        """Whether it needs no support: a quotation, a courtesy, or hardly a word."""
        polite = self.features[SUPPORT.index("courtesy")] > POLITE and not read.numbers(self.clause)
        return self.quoted or polite or len(read.words(self.clause)) < LEAST_WORDS


def support(space: Space, answer: Answer, language: Language, speech: Speech) -> list[Support]:
    """What stands behind each clause of an answer.

    The rubric counts as support as far as the passages shown hold the words of the law behind its claims.
    """
    if not answer.clauses:
        return []
    rubric = answer.rubric
    claims = [claim.text for claim in rubric.question.claims if _held(claim, answer.shown)]
    whole = bool(claims) and len(claims) == len(rubric.question.claims)
    backing = [*claims, *(read.sentences(rubric.question.answer) if whole else [])]
    likely = [*claims, *(rubric.reference if whole else [])]
    law = [piece for sentence in answer.evidence for piece in (sentence, *read.clauses(sentence))]
    clauses, homes = space.vectors(answer.clauses), space.vectors(answer.homes)
    spaces = [space.vectors(texts) for texts in (law, likely, rubric.asked)]
    sources = [space.words(texts) for texts in (answer.evidence, backing, rubric.asked)]
    courtesy = speech.scores(clauses)[:, SORTS.index("courtesy")]
    parts = [space.words([clause]) for clause in answer.clauses]
    known = [n for text in (*rubric.asked, *answer.case.passages, *backing) for n in read.numbers(text)]
    lost = _lost(space, claims, parts, language)
    found: list[Support] = []
    for place, clause in enumerate(answer.clauses):
        near = [_top(clauses[place] @ vectors.T) for vectors in spaces]
        home = max(_top(homes[place] @ vectors.T) for vectors in spaces[:2])
        new = _absent(read.numbers(clause, counting=False), known)
        words = _word_features(space, parts[place], sources, language)
        features = (
            *words[:5],
            *near,
            home,
            words[5],
            float(lost[place].max(initial=0.0)),
            min(float(lost[place].sum()), 20.0),
            float(read.states_rule(clause)),
            float(bool(new)),
            float(np.log(len(parts[place].words) + 1)),
            *words[6:],
            max(near[0], near[1]) - near[2],
            float(courtesy[place]),
        )
        found.append(Support(clause, features, tuple(new), answer.quotes(clause)))
    return found


def _word_features(
    space: Space, mine: Words, sources: Sequence[Words], language: Language
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Match with any source, match with the law, alien weight, the same of legal words, the three lowest matches, alien
    weight when the question is no source, number of alien words, of alien legal words, alien weight a word."""
    if not mine.words:
        return (1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    empty = np.array([word in read.SIGNPOSTS for word in mine.words], dtype=bool)
    law, rubric, asked = (space.best(mine, source) for source in sources)
    backed = np.where(empty, 1.0, np.maximum(law, rubric))
    match = np.where(empty, 1.0, np.maximum(backed, asked))
    weights = language.weights(mine.words)
    legal = np.array([language.legal(word) for word in mine.words], dtype=bool)
    alien = weights * (1 - match)
    return (
        _mean(match, weights),
        _mean(backed, weights),
        float(alien.sum()),
        float(alien[legal].sum()),
        float(np.sort(match)[:3].mean()),
        float((weights * (1 - backed)).sum()),
        float((match < ALIEN).sum()),
        float(((match < ALIEN) & legal).sum()),
        float(alien.sum() / max(len(mine.words), 3)),
    )


def _lost(space: Space, claims: Sequence[str], parts: Sequence[Words], language: Language) -> Floats:
    """(clauses, claims): the weight of a claim's words that only this clause says, lost without it."""
    lost = np.zeros((len(parts), len(claims)))
    for column, claim in enumerate(claims):
        wanted = space.words([claim])
        said = np.stack([space.best(wanted, part) for part in parts])
        weights = language.weights(wanted.words)
        for row in range(len(parts)):
            others = np.delete(said, row, axis=0).max(axis=0, initial=0.0)
            lost[row, column] = float((weights * np.clip(said[row] - others, 0, 1)).sum()) if len(weights) else 0.0
    return lost


def _top(likeness: Floats) -> float:
    return float(likeness.max(initial=0.0))


def _held(claim: Claim, shown: str) -> bool:
    """Whether nearly all words behind a claim stand in the passages shown (chunks may cut a quote in two)."""
    if " ".join(quote(claim).split()) in shown:
        return True
    wanted = {read.stem(word) for word in read.words(quote(claim))}
    given = {read.stem(word) for word in read.words(shown)}
    return bool(wanted) and len(wanted & given) >= 0.9 * len(wanted)


# --- sentences -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Speech:
    """What a sentence does: refuse to answer, state something, or be polite. Log-probabilities by MiniLM's vector.

    `weights` is (3, 384) and `intercepts` (3,), a multinomial logistic regression on unit vectors.
    """

    weights: Floats
    intercepts: Floats

    def scores(self, vectors: Floats) -> Floats:
        """(n, 3) log-odds against the likelier of the two other sorts, in the order of `SORTS`."""
        raw = vectors @ self.weights.T + self.intercepts
        others = [np.delete(raw, column, axis=1).max(axis=1) for column in range(len(SORTS))]
        return raw - np.stack(others, axis=1)


def abstention(space: Space, answer: Answer, claims: Sequence[Alignment], speech: Speech) -> tuple[float, ...]:
    """Features of whether a whole answer declines; an answer without a word does."""
    if not answer.sentences:
        return (0.0,) * len(ABSTENTION)
    column = SORTS.index("refusal")
    parts = speech.scores(space.vectors(answer.sentences))[:, column]
    covered = [claim.coverage[COVERAGE.index("claim_new")] for claim in claims]
    return (
        float(parts.max()),
        float(speech.scores(space.vectors([answer.case.text]))[0, column]),
        float(min(read.declines(answer.case.text), 2)),
        float(np.mean(covered)) if covered else 0.35,
        float(min(sum(map(read.states_rule, answer.sentences)), 3)),
        float(len(answer.case.text.split()) < 30),
    )
