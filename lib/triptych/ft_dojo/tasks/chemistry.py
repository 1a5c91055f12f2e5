"""Four chemistry tasks, in the manner of ChemCoTDataset: molecule understanding, editing, optimisation and reaction.

Molecules are cores of NCI molecules with groups attached; RDKit says what is right. The splits share neither wordings
nor cores, so no molecule of one split is found in another, nor one that differs by its groups only.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from triptych.ft_dojo.tasks import molecules
from triptych.ft_dojo.tasks.base import Item
from triptych.ft_dojo.tasks.molecules import GROUPS
from triptych.ft_dojo.tasks.recipe import Allowed, Draft, Recipe, grid

COUNTED = ("fluoro", "chloro", "bromo", "hydroxyl")
MOST = 3  # groups of the kind that is counted
ADDED = 3  # heavy atoms that an optimisation may add
LONGEST_PRODUCT = 22  # tokens
REACTANT = 9  # tokens of the longest core that takes part in a reaction
_SYMBOLS = {name: symbol for name, (symbol, _) in GROUPS.items()}


@dataclass(frozen=True)
class Goal:
    """A property to move: by how much at least, and the atom whose attachment the training answers use."""

    name: str
    direction: str
    by: float
    atom: str


OPTIMISED = (
    Goal("lipophilicity", "up", 0.3, "Cl"),  # Crippen logP
    Goal("lipophilicity", "down", 0.2, "O"),
    Goal("polarity", "up", 22.0, "N"),  # topological polar surface area in square ångström; OH gives 20.2
    Goal("weight", "up", 100.0, "I"),  # daltons
)


def _core(rng: random.Random, allowed: Allowed, longest: int = molecules.LONGEST) -> str | None:
    pool = _cores(allowed, longest)
    return rng.choice(pool) if pool else None


@lru_cache(maxsize=8)
def _cores(allowed: Allowed, longest: int) -> tuple[str, ...]:
    """The cores that a split may use; the cache holds the splits that are being made."""
    return tuple(core for core in molecules.cores() if allowed(core) and len(molecules.spaced(core).split()) <= longest)


def _end(rng: random.Random, core: str) -> str:
    """A core, often with a halogen on it, written from a carbon that can be bound to."""
    start, *others = rng.sample(free := molecules.places(core), len(free))
    symbol = rng.choice((None, "F", "Cl", "Br"))
    groups = ((others[0], symbol),) if others and symbol else ()
    return molecules.attached(core, groups, start) or molecules.attached(core, (), start) or ""


def _draw_count(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    core = _core(rng, allowed)
    if core is None:
        return None
    group, other = rng.sample(COUNTED, 2)
    symbols = [_SYMBOLS[group]] * (turn % (MOST + 1)) + [_SYMBOLS[other]] * rng.randint(0, 1)
    free = molecules.places(core)
    if len(free) < len(symbols):
        return None
    smiles = molecules.attached(core, tuple(zip(rng.sample(free, len(symbols)), symbols, strict=True)))
    if smiles is None or molecules.count(smiles, group) != turn % (MOST + 1):
        return None
    fill = {"smiles": smiles, "group": group}
    return Draft("count", (smiles, group), fill, str(molecules.count(smiles, group)), key=core)


def _draw_edit(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    core = _core(rng, allowed)
    if core is None:
        return None
    old, new = rng.sample(tuple(GROUPS), 2)
    place = rng.choice(molecules.places(core))
    source = molecules.attached(core, ((place, _SYMBOLS[old]),))
    if source is None or source.split().count(_SYMBOLS[old]) != 1:  # which one is meant must be plain
        return None
    answer = " ".join(_SYMBOLS[new] if token == _SYMBOLS[old] else token for token in source.split())
    product = molecules.attached(core, ((place, _SYMBOLS[new]),))
    if product is None or molecules.canonical(answer) != molecules.canonical(product):
        return None
    fill = {"smiles": source, "old": old, "new": new}
    return Draft("replace", (source, old, new), fill, answer, key=core)


def _draw_goal(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    core = _core(rng, allowed)
    if core is None:
        return None
    goal = rng.choice(OPTIMISED)
    source = _end(rng, core)
    answer = f"{goal.atom} {source}"
    if not moved(source, answer, goal.name, goal.direction):
        return None
    fill = {"smiles": source, "property": goal.name}
    return Draft(goal.direction, (source, goal.name, goal.direction), fill, answer, key=core)


def _draw_reaction(rng: random.Random, allowed: Allowed, turn: int) -> Draft | None:
    first, second = _core(rng, allowed, REACTANT), _core(rng, allowed, REACTANT)
    if first is None or second is None:
        return None
    ends = [_end(rng, core) for core in (first, second)]
    acid, partner = f"O = C ( O ) {ends[0]}", f"{rng.choice('NO')} {ends[1]}"
    answer = f"O = C ( {partner} ) {ends[0]}"
    if len(answer.split()) > LONGEST_PRODUCT:
        return None
    # Bound to a carbonyl carbon, the group would make an acid or an amide, which is no partner.
    if molecules.matches(partner, "C(=O)[OX2H,NX3H2]") or molecules.canonical(answer) != product(acid, partner):
        return None
    fill = {"acid": acid, "partner": partner}
    return Draft("condense", (acid, partner, second), fill, answer, key=first)


@lru_cache(maxsize=100_000)
def product(acid: str, partner: str) -> str | None:
    """Canonical SMILES of the ester or amide of a carboxylic acid and an alcohol or primary amine, by RDKit's reaction.

    None unless exactly one product is possible.
    """
    from rdkit import Chem

    left, right = molecules.parsed(acid), molecules.parsed(partner)
    if left is None or right is None:
        return None
    found: set[str] = set()
    for (made,) in _condensation().RunReactants((left, right)):
        Chem.SanitizeMol(made)
        found.add(Chem.MolToSmiles(made))
    return found.pop() if len(found) == 1 else None


@cache
def _condensation() -> Any:
    from rdkit.Chem import rdChemReactions

    return rdChemReactions.ReactionFromSmarts("[CX3:1](=[O:2])[OX2H].[$([NX3;H2]),$([OX2H]):3]>>[C:1](=[O:2])[*:3]")


def moved(source: str, answer: str, name: str, direction: str) -> bool:
    """Whether the answer keeps the source as a part, adds one to three heavy atoms, and moves the property enough."""
    before, after = molecules.parsed(source), molecules.parsed(answer)
    if before is None or after is None:
        return False
    if not 1 <= after.GetNumHeavyAtoms() - before.GetNumHeavyAtoms() <= ADDED or not _contains(answer, source):
        return False
    (goal,) = (goal for goal in OPTIMISED if (goal.name, goal.direction) == (name, direction))
    change = property_of(answer, name) - property_of(source, name)
    return (change if direction == "up" else -change) >= goal.by


@lru_cache(maxsize=100_000)
def property_of(text: str, name: str) -> float:
    """A property of a molecule: Crippen logP, topological polar surface area, or average molecular weight."""
    from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

    functions: dict[str, Callable[[Any], float]] = {
        "lipophilicity": Crippen.MolLogP,  # pyright: ignore[reportAttributeAccessIssue]  (made at import)
        "polarity": rdMolDescriptors.CalcTPSA,
        "weight": Descriptors.MolWt,  # pyright: ignore[reportAttributeAccessIssue]
    }
    return functions[name](molecules.parsed(text))


@lru_cache(maxsize=200_000)
def _contains(whole: str, part: str) -> bool:
    large, small = molecules.parsed(whole), molecules.parsed(part)
    return large is not None and small is not None and bool(large.HasSubstructMatch(small))


def _other_group(item: Item, rng: random.Random) -> str:
    """The source with a third group in the place."""
    source, old, new = map(str, item.slots)
    third = rng.choice([symbol for name, symbol in _SYMBOLS.items() if name not in (old, new)])
    return " ".join(third if token == _SYMBOLS[old] else token for token in source.split())


def _wrong_way(item: Item, rng: random.Random) -> str:
    """An atom attached that serves another goal and not this one."""
    source, name, direction = map(str, item.slots)
    others = [f"{goal.atom} {source}" for goal in OPTIMISED]
    return rng.choice([answer for answer in others if not moved(source, answer, name, direction)])


def _other_heteroatom(item: Item, rng: random.Random) -> str:
    """An ester for an amide, and the other way round."""
    tokens = item.answer.split()
    tokens[4] = "N" if tokens[4] == "O" else "O"
    return " ".join(tokens)


def _unreacted(item: Item) -> str:
    """The step recorded as not having taken place: the acid once more."""
    return str(item.slots[0])


_OF = ("{smiles} :", "molecule {smiles} .", "the compound is {smiles} .", "given {smiles} ,")
_WORDS = (*molecules.ALPHABET, "product", ":")

RECIPES = (
    Recipe(
        id="molecule_understanding",
        domain="chemistry",
        metric="exact match",
        instruction=(
            "Molecule understanding: how many groups of a kind a molecule has. SMILES are written with spaces between"
            " their tokens. The answer is a whole number. Metric: share of right numbers."
        ),
        templates={
            "count": grid(
                _OF, ("how many {group} groups has it ?", "count its {group} groups .", "number of {group} groups ?")
            )
        },
        draw=_draw_count,
        wrong=lambda item, rng: str(rng.choice([n for n in range(MOST + 1) if str(n) != item.answer])),
        words=(*_WORDS, *COUNTED, *map(str, range(MOST + 2)), "groups"),
        notation=lambda answer: f"{answer} groups",
        shift=lambda item: str(int(item.answer) + 1),  # the core counted as a group of its own
    ),
    Recipe(
        id="molecule_editing",
        domain="chemistry",
        metric="same molecule",
        instruction=(
            "Molecule editing: one group is to be replaced by another. The answer is the SMILES of the new molecule,"
            " with spaces between its tokens. Metric: share of answers that are the right molecule, however written."
        ),
        templates={
            "replace": grid(
                _OF,
                ("replace {old} by {new} .", "exchange its {old} group for {new} .", "put {new} in place of {old} ."),
            )
        },
        draw=_draw_edit,
        wrong=_other_group,
        words=(*_WORDS, *GROUPS),
        notation=lambda answer: f"product : {answer}",
        shift=lambda item: _SYMBOLS[str(item.slots[2])],  # the new group instead of the new molecule
    ),
    Recipe(
        id="molecule_optimisation",
        domain="chemistry",
        metric="property moved",
        instruction=(
            "Molecule optimisation: add one to three heavy atoms to a molecule, which must stay whole as a part of the"
            " answer, so that its lipophilicity rises by 0.3 or falls by 0.2 (Crippen logP), its polarity rises by 22"
            " square ångström (TPSA) or its weight by 100 daltons. The answer is a SMILES with spaces between its"
            " tokens. Metric: share of answers that RDKit finds to do so."
        ),
        templates={
            "up": grid(
                _OF, ("raise its {property} .", "make its {property} higher .", "change it for more {property} .")
            ),
            "down": grid(
                _OF, ("reduce its {property} .", "make its {property} lower .", "change it for less {property} .")
            ),
        },
        draw=_draw_goal,
        wrong=_wrong_way,
        words=(*_WORDS, *(goal.name for goal in OPTIMISED)),
        notation=lambda answer: f"product : {answer}",
        shift=lambda item: item.answer.split()[0],  # the atom to attach instead of the new molecule
    ),
    Recipe(
        id="reaction",
        domain="chemistry",
        metric="same molecule",
        instruction=(
            "Reaction: the ester or amide that a carboxylic acid forms with an alcohol or an amine, water left out."
            " The answer is its SMILES with spaces between the tokens. Metric: share of answers that are the right"
            " molecule, however written."
        ),
        templates={
            "condense": grid(
                ("{acid} and {partner} :", "mix {acid} with {partner} .", "{acid} meets {partner} .",
                 "heat {acid} with {partner} ."),
                ("what is formed ?", "name the product .", "which condensation product ?"),
            )
        },
        draw=_draw_reaction,
        wrong=_other_heteroatom,
        words=_WORDS,
        notation=lambda answer: f"product : {answer}",
        shift=_unreacted,
    ),
)  # fmt: skip
