"""The frame of every generator: a recipe draws what decides an item, this module words it, splits it and damages it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from triptych.errors import ParameterError
from triptych.ft_dojo.tasks import defects
from triptych.ft_dojo.tasks.base import LABELS, SPLITS, Item, Row, Task, checked_sizes, split_of

SIZES = {"train": 2000, "val": 200, "select": 200, "test": 400}
# The wordings of each kind of question are dealt to the splits in these numbers.
TEMPLATES_PER_SPLIT = {"train": 6, "val": 2, "select": 2, "test": 2}
PATIENCE = 2000  # drafts in a row without a new question, after which a pool counts as empty


@dataclass(frozen=True)
class Draft:
    """What decides one item, before it is worded.

    `kind` names the list of wordings, `fill` what goes into one. `key` is what no other split may use (default: the
    kind and slots). `options` with `answer` among them make a choice; without options the answer is free text.
    """

    kind: str
    slots: tuple[str | int, ...]
    fill: Mapping[str, str | int]
    answer: str
    options: tuple[str, ...] = ()
    key: str = ""


Allowed = Callable[[str], bool]


@dataclass(frozen=True)
class Recipe:
    """A generator.

    `draw(rng, allowed, turn)` gives a draft, or None for a draw that came to nothing; `allowed(key)` says whether the
    split may use a key, and `turn` counts the items made, so that answers can be dealt evenly. `wrong` gives a wrong
    answer of a likely kind. `notation` writes an answer in another form, `shift` moves it to another scale or
    convention; a task that has no such thing leaves them out, and with them the defects that need them.
    """

    id: str
    domain: str
    metric: str
    instruction: str
    templates: Mapping[str, tuple[str, ...]]
    draw: Callable[[random.Random, Allowed, int], Draft | None]
    wrong: Callable[[Item, random.Random], str]
    words: tuple[str, ...]  # that questions and answers may hold besides the templates' own
    notation: Callable[[str], str] | None = None
    shift: Callable[[Item], str] | None = None
    dirt: Mapping[str, float] = field(default_factory=lambda: defects.SHARES)

    def vocabulary(self) -> set[str]:
        """Every word of prompts, answers and the notations that damage uses."""
        wordings = " ".join(template for templates in self.templates.values() for template in templates)
        return {word for word in wordings.split() if "{" not in word} | set(self.words)


def grid(leads: Sequence[str], bodies: Sequence[str]) -> tuple[str, ...]:
    """Every lead before every body: the wordings of one kind of question."""
    return tuple(f"{lead} {body}".strip() for lead, body in itertools.product(leads, bodies))


def generate(
    recipe: Recipe,
    seed: int,
    sizes: Mapping[str, int] | None = None,
    planted: Mapping[str, float] | None = None,
    reserved: bool = False,
) -> Task:
    """The task of one recipe and seed; see `triptych.ft_dojo.tasks.make`.

    A split's bytes depend on the seed and its own size only. The seed also decides which wordings and keys are held
    out, so a spread over seeds includes the luck of that choice.
    """
    wanted = checked_sizes(sizes, SIZES)
    dealer = random.Random(f"{recipe.id}/{seed}/deal")
    dealt = {kind: _deal(len(templates), dealer) for kind, templates in recipe.templates.items()}
    splits = {
        split: _items(recipe, seed, split, wanted[split], {kind: deal[split] for kind, deal in dealt.items()})
        for split in SPLITS
    }

    def paraphrase(item: Item, rng: random.Random) -> str:
        kind, number = item.template.split("/")
        others = [other for other in dealt[kind]["train"] if other != int(number)]
        return recipe.templates[kind][rng.choice(others)].format(**fills[item.id])

    fills = {item.id: fill for item, fill in splits["train"]}
    train = tuple(item for item, _ in splits["train"])
    tools = defects.Tools(paraphrase, recipe.wrong, recipe.notation, recipe.shift)
    shares = defects.chosen(recipe.dirt if planted is None else planted, tools, reserved=reserved)
    public, record = defects.plant(train, shares, tools, random.Random(f"{recipe.id}/{seed}/defects"))
    return Task(
        id=recipe.id,
        domain=recipe.domain,
        metric=recipe.metric,
        seed=seed,
        splits={split: tuple(item for item, _ in made) for split, made in splits.items()},
        planted=record,
        public=public,
        instruction=recipe.instruction,
    )


def _deal(count: int, rng: random.Random) -> dict[str, list[int]]:
    order = rng.sample(range(count), count)
    return {split: [order.pop() for _ in range(number)] for split, number in TEMPLATES_PER_SPLIT.items()}


def _items(
    recipe: Recipe, seed: int, split: str, size: int, templates: Mapping[str, list[int]]
) -> list[tuple[Item, Mapping[str, str | int]]]:
    """`size` items with different questions, each with what fills its wording."""
    rng = random.Random(f"{recipe.id}/{seed}/{split}")

    @cache
    def allowed(key: str) -> bool:
        return split_of(recipe.id, key, seed) == split

    made: list[tuple[Item, Mapping[str, str | int]]] = []
    seen: set[str] = set()
    vain = 0
    while len(made) < size:
        if vain == PATIENCE:
            raise ParameterError(
                f"split {split} of task {recipe.id} cannot have {size} different questions", f"at most {len(made)}"
            )
        draft = _first(recipe.draw(rng, allowed, len(made)) for _ in range(PATIENCE))
        if draft is None:
            vain = PATIENCE
            continue
        vain += 1
        key = draft.key or "/".join(map(str, (draft.kind, *draft.slots)))
        number = rng.choice(templates[draft.kind])
        question = recipe.templates[draft.kind][number].format(**draft.fill)
        if question in seen or not allowed(key):
            continue
        seen.add(question)
        vain = 0
        item = Item(
            id="",
            template=f"{draft.kind}/{number}",
            slots=draft.slots,
            question=question,
            options=draft.options,
            label=LABELS[draft.options.index(draft.answer)] if draft.options else draft.answer,
            key=key,
        )
        made.append((item, draft.fill))
    # Shuffled, because answers and kinds were dealt in turn.
    rng.shuffle(made)
    return [(_named(item, f"{recipe.id}-{split}-{index:04d}"), fill) for index, (item, fill) in enumerate(made)]


def _first(drafts: Iterable[Draft | None]) -> Draft | None:
    return next((draft for draft in drafts if draft is not None), None)


def _named(item: Item, name: str) -> Item:
    return Item(name, item.template, item.slots, item.question, item.options, item.label, item.key)


def row(item: Item) -> Row:
    """The undamaged public row of an item."""
    return Row(item.id, item.question, item.answer, item.options)
