"""Three patent tasks over element sets, in the manner of PANORAMA's PAR4PC, PI4PC and NOC4PC.

A claim names elements; documents or paragraphs of the prior art disclose some. Labels are recomputed from the final
text (`elements_of`), never carried along. The splits share neither wordings nor (claim, prior art) combinations.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence

from triptych.ft_dojo.tasks.base import LABELS, Item
from triptych.ft_dojo.tasks.recipe import Allowed, Draft, Recipe, grid

PARTS = (
    "lens", "coil", "valve", "gear", "pump", "motor", "filter", "sensor",
    "spring", "belt", "fan", "lamp", "piston", "rotor", "hinge", "nozzle",
)  # fmt: skip
CLAIMED = 2  # elements of a claim; of PAR4PC as many at most
DOCUMENT_SIZE = 2  # elements in each document of NOC4PC
RETRIEVED_SIZE = 3  # elements in each document of PAR4PC and each paragraph of PI4PC
VERDICTS = ("allowed", "anticipated", "obvious")


def elements_of(question: str) -> dict[str, tuple[str, ...]]:
    """What each place of a question names: `claim`, and A to D, in the order of the text.

    A place is the word `claim` or a letter; its elements are the part names until the next place.
    """
    places: dict[str, list[str]] = {}
    found: list[str] = []
    for word in question.split():
        if word == "claim" or word in LABELS:
            found = places.setdefault(word, [])
        elif word in PARTS:
            found.append(word)
    return {place: tuple(parts) for place, parts in places.items() if parts}


def retrieved(places: Mapping[str, Sequence[str]]) -> str:
    """PAR4PC: the documents that disclose an element of the claim, as letters in order."""
    claim = set(places["claim"])
    return " ".join(letter for letter in LABELS if claim & set(places[letter]))


def paragraph(places: Mapping[str, Sequence[str]]) -> str:
    """PI4PC: the one paragraph that discloses every element of the claim."""
    (letter,) = (letter for letter in LABELS if set(places["claim"]) <= set(places[letter]))
    return letter


def verdict(places: Mapping[str, Sequence[str]]) -> str:
    """NOC4PC: `anticipated` if one document discloses the whole claim (§ 102), `obvious` if both together do (§ 103),
    else `allowed`."""
    claim = set(places["claim"])
    if any(claim <= set(places[letter]) for letter in ("A", "B")):
        return VERDICTS[1]
    return VERDICTS[2] if claim <= {*places["A"], *places["B"]} else VERDICTS[0]


FOUR = "A {a} B {b} C {c} D {d} ."
_CLAIMS = ("claim {x} .", "the claim recites {x} .", "a claim to {x} is examined .", "claim in question : {x} .")
_RETRIEVE = grid(
    _CLAIMS,
    (
        f"documents : {FOUR} which disclose an element of it ?",
        f"prior art : {FOUR} cite what discloses an element .",
        f"found by search : {FOUR} list the relevant ones .",
    ),
)
_IDENTIFY = grid(
    _CLAIMS,
    (
        f"paragraphs : {FOUR} which one discloses all of it ?",
        f"the reference reads : {FOUR} cite the paragraph .",
        f"cited text : {FOUR} point to the disclosure .",
    ),
)
_JUDGE = grid(
    _CLAIMS,
    (
        "documents : A {a} B {b} . what is the verdict ?",
        "prior art : A {a} B {b} . decide on the claim .",
        "found by search : A {a} B {b} . how is the claim to be judged ?",
    ),
)


def _draft(kind: str, claim: Sequence[str], documents: Sequence[Sequence[str]], answer: str) -> Draft:
    texts = [" ".join(parts) for parts in documents]
    fill = {"x": " ".join(claim), **dict(zip("abcd", texts, strict=False))}
    # The order of documents and elements does not matter: a shuffled copy is the same item.
    key = "/".join([" ".join(sorted(claim)), *sorted(" ".join(sorted(parts)) for parts in documents)])
    return Draft(kind, (fill["x"], *texts), fill, answer, key=key)


def _others(rng: random.Random, without: Sequence[str], count: int) -> list[str]:
    return rng.sample([part for part in PARTS if part not in without], count)


def _draw_retrieval(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    claim = rng.sample(PARTS, rng.randint(1, CLAIMED))
    relevant = rng.sample(range(4), 1 + turn % 2)
    filler = iter(_others(rng, claim, 4 * RETRIEVED_SIZE))
    documents = [[next(filler) for _ in range(RETRIEVED_SIZE)] for _ in range(4)]
    for place in relevant:
        documents[place][rng.randrange(RETRIEVED_SIZE)] = rng.choice(claim)
    places = {"claim": claim, **dict(zip(LABELS, documents, strict=True))}
    return _draft("retrieve", claim, documents, retrieved(places))


def _draw_paragraph(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    claim: list[str] = rng.sample(PARTS, CLAIMED)
    right = turn % 4
    filler = iter(_others(rng, claim, 4 * RETRIEVED_SIZE - 5))
    # The other paragraphs disclose half of the claim: one element is not enough to find the right one.
    disclosed = [[part] for part in rng.sample([*claim, rng.choice(claim)], 3)]
    disclosed.insert(right, claim)
    documents = [[*parts, *itertools.islice(filler, RETRIEVED_SIZE - len(parts))] for parts in disclosed]
    for parts in documents:
        rng.shuffle(parts)
    places = {"claim": claim, **dict(zip(LABELS, documents, strict=True))}
    return _draft("identify", claim, documents, paragraph(places))


def _draw_verdict(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    claim = rng.sample(PARTS, CLAIMED)
    filler = _others(rng, claim, 2 * DOCUMENT_SIZE)
    documents = [filler[:DOCUMENT_SIZE], filler[DOCUMENT_SIZE:]]
    wanted = VERDICTS[turn % 3]
    order = rng.sample((0, 1), 2)
    if wanted == "anticipated":
        documents[order[0]] = rng.sample(claim, 2)
    else:
        documents[order[0]][rng.randrange(DOCUMENT_SIZE)] = claim[0]
        if wanted == "obvious":
            documents[order[1]][rng.randrange(DOCUMENT_SIZE)] = claim[1]
    places = {"claim": claim, **dict(zip(("A", "B"), documents, strict=True))}
    return _draft("judge", claim, documents, verdict(places))


def _next_letter(item: Item, rng: random.Random | None = None) -> str:
    """Letters counted from zero where the rest count from one: A becomes B, D becomes A."""
    letters = [LABELS[(LABELS.index(letter) + 1) % 4] for letter in item.answer.split()]
    return " ".join(sorted(letters))


def _another_letter(item: Item, rng: random.Random) -> str:
    return rng.choice([letter for letter in LABELS if letter not in item.answer.split()])


def _next_verdict(item: Item) -> str:
    """The verdict of another office's code table, in which the three stand in another order."""
    return VERDICTS[(VERDICTS.index(item.answer) + 1) % 3]


def _another_verdict(item: Item, rng: random.Random) -> str:
    return rng.choice([name for name in VERDICTS if name != item.answer])


RECIPES = (
    Recipe(
        id="patent_par4pc",
        domain="patent",
        metric="set F1",
        instruction=(
            "Prior-art retrieval for a patent claim. Of four documents, one or two disclose an element of the claim."
            " The answer is their letters, separated by spaces. Metric: F1 of the set of letters, mean over items."
        ),
        templates={"retrieve": _RETRIEVE},
        draw=_draw_retrieval,
        wrong=_another_letter,
        words=(*PARTS, *LABELS, "see"),
        notation=lambda answer: f"see {answer}",
        shift=_next_letter,
    ),
    Recipe(
        id="patent_pi4pc",
        domain="patent",
        metric="gold hit",
        instruction=(
            "Paragraph identification for a patent claim. Of four paragraphs of a reference, one discloses every"
            " element of the claim. The answer is its letter. Metric: share of right letters."
        ),
        templates={"identify": _IDENTIFY},
        draw=_draw_paragraph,
        wrong=_another_letter,
        words=(*PARTS, *LABELS, "see"),
        notation=lambda answer: f"see {answer}",
        shift=_next_letter,
    ),
    Recipe(
        id="patent_noc4pc",
        domain="patent",
        metric="macro F1",
        instruction=(
            "Novelty and non-obviousness of a patent claim. The answer is 'anticipated' if one document discloses every"
            " element, 'obvious' if the two documents together do, else 'allowed'. Metric: macro F1 of the three."
        ),
        templates={"judge": _JUDGE},
        draw=_draw_verdict,
        wrong=_another_verdict,
        words=(*PARTS, *LABELS, *VERDICTS, "see"),
        notation=lambda answer: f"see {answer}",
        shift=_next_verdict,
    ),
)
