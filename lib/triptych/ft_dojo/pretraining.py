"""What the tiny base knows before fine-tuning: generated statements that use every domain's words and sub-skills.

A real base model has met a domain's words and sub-skills but not a benchmark's items. So has this one: a statement is a
sum, a line of a ledger, where a part is found, what a piece of SMILES becomes, or what a small table says. None asks a
question, none uses a task's template or the word "answer" that starts a reply, and its pieces of SMILES are cut from
NCI molecules that are too long for any task. The words of the answers (`true`, `obvious`, `B`) are known from them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from triptych.ft_dojo import tasks
from triptych.ft_dojo.tasks import chemistry, finance, math, molecules, patent, table

# Words that point at each concept's two amounts, and the operation that joins them.
NOUNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "minus": (
        ("income", "costs", "profit"),
        ("sales", "costs", "gain"),
        ("sold for", "bought for", "gain"),
        ("sold for", "paid", "profit"),
        ("loan", "repaid", "left"),
        ("debt", "repaid", "owed"),
        ("owed", "repaid", "left"),
        ("loan", "repaid", "debt left"),
    ),
    "plus": (
        ("balance", "deposit", "new balance"),
        ("account", "deposits", "total"),
        ("holds", "adds", "total"),
        ("account", "added", "new total"),
    ),
    "times": (
        ("shares", "each", "payment"),
        ("shares", "dividend", "in all"),
        ("shares", "a share", "payment in all"),
        ("buys shares", "cost each", "pays in all"),
    ),
}
MORE, LESS = ("finds", "won", "more", "puts in", "adds", "wins"), ("lost", "gave away", "takes out", "loses")
# Words for what a small table can tell, and for what a chart shows.
HIGH, LOW = ("most", "highest", "leads"), ("least", "lowest", "last")
TOGETHER, APART = ("together", "add", "total"), ("ahead", "take", "difference")
SHOWN = {
    "compare": ("compare", "side", "larger"),
    "trend": ("changes", "follow", "trend"),
    "share": ("share", "part", "parts"),
    "relation": ("relates", "depend", "against"),
}
HIGHER = {"up": ("raise", "higher", "more"), "down": ("reduce", "lower", "less")}
# What joins a statement's parts, and what only statements use.
WORDS = (
    "minus", "plus", "times", "equals", "is", "now", "both", "these", "are", "at", "seek", "found",
    "gives", "copied", "before", "into", "so", "of", "as", "note", ";", ",",
)  # fmt: skip
MOST_FILLERS = 5
TOLD_ROWS = 3  # of a table in a statement; those of the tasks are longer
BARE = 0.5  # share without a cue, where that is possible, of the statements that do not end in it


@dataclass(frozen=True)
class Fact:
    """What a statement tells: `parts` in their order, `cue` (what is asked for), and the `result` that they imply.

    `bare` stands for the cue where the parts alone tell what can be asked.
    """

    parts: tuple[str, ...]
    cue: str
    result: str
    bare: str | None = None


@dataclass(frozen=True)
class Statement:
    """Words, and the positions of those that follow from the words before (the others cannot be predicted)."""

    words: tuple[str, ...]
    inferred: tuple[int, ...]


Kind = Callable[[random.Random], Fact]


@dataclass(frozen=True)
class Ways:
    """How statements end, by share (see `tell`), and the share of them with other words among the ones that matter."""

    plain: float = 1.0
    gives: float = 0.0
    colon: float = 0.0
    silent: float = 0.0
    filled: float = 0.3


@dataclass(frozen=True)
class Part:
    """A part of pretraining: its steps (of all parts together), its share of the learning rate, and how statements end.

    Kinds in `without` do not come in it, kinds in `no_colon` never have their result after a colon. Without `ways` it
    is of random words said twice.
    """

    steps: int
    rate: float
    ways: Ways | None = None
    without: frozenset[Kind] = frozenset()
    no_colon: frozenset[Kind] = frozenset()

    def texts(self, rng: random.Random, longest: int) -> Iterator[list[Statement]]:
        """Endless texts of at most `longest` words."""
        if self.ways is None:
            return repetitions(rng, longest)
        weights = {kind: weight for kind, weight in KINDS.items() if kind not in self.without}
        return texts(rng, longest, self.ways, weights, self.no_colon)


def texts(
    rng: random.Random,
    longest: int,
    ways: Ways,
    weights: Mapping[Kind, int],
    no_colon: frozenset[Kind] = frozenset(),
) -> Iterator[list[Statement]]:
    """Endless texts of at most `longest` words, each of some statements of different kinds, drawn by weight.

    No kind comes twice, so that a name looked up in one statement has no other value in the statement before it.
    """
    while True:
        kinds = dict(weights)
        text: list[Statement] = []
        length = 0
        while kinds:
            kind = rng.choices(list(kinds), list(kinds.values()))[0]
            del kinds[kind]
            statement = tell(rng, kind(rng), ways, colon=kind not in no_colon)
            length += len(statement.words)
            if length > longest:
                break
            text.append(statement)
        yield text


def repetitions(rng: random.Random, longest: int) -> Iterator[list[Statement]]:
    """Endless texts of random words said twice: the second time each follows from the first."""
    while True:
        said = rng.sample(_all_words(), rng.randint(longest // 6, longest // 2))
        yield [Statement((*said, *said), tuple(range(len(said) + 1, 2 * len(said))))]


def words() -> set[str]:
    """Every word of the tasks and of the mixture, numbers aside."""
    nouns = {word for rows in NOUNS.values() for row in rows for phrase in row for word in phrase.split()}
    cues = " ".join((*MORE, *LESS, *HIGH, *LOW, *TOGETHER, *APART)).split()
    known = {word for recipe in tasks.recipes() for word in recipe.vocabulary()}
    return {word for word in {*nouns, *cues, *known, *WORDS} if not word.isdigit()}


def tell(rng: random.Random, fact: Fact, ways: Ways, colon: bool = True) -> Statement:
    """A fact's parts, other words of the tasks among them now and then, then what they imply.

    `plain`: the result follows its cue. Else some more words follow the cue, then "gives" (`gives`) or a colon
    (`colon`, where it is allowed). A colon is where the tasks' answers stand; so that an untrained base does not answer
    there, the statement may end after its colon (`silent`).
    """
    mixed = list(fact.parts)
    if rng.random() < ways.filled:
        for word in rng.choices(_fillers(), k=rng.randint(1, MOST_FILLERS)):
            mixed.insert(rng.randint(0, len(mixed)), word)
    said, result = [fact.cue], fact.result
    (way,) = rng.choices(("plain", "gives", "colon", "silent"), (ways.plain, ways.gives, ways.colon, ways.silent))
    if way != "plain":
        if fact.bare is not None and rng.random() < BARE:
            said = [fact.bare]
        said += rng.choices(_fillers(), k=rng.randint(0, MOST_FILLERS))
        said.append(":" if way == "silent" or (way == "colon" and colon) else "gives")
    if way == "silent":
        result = ""
    start = " ".join([*mixed, ";", *said]).split()
    end = [*result.split(), "."]
    return Statement((*start, *end), tuple(range(len(start), len(start) + len(end))))


@cache
def _fillers() -> tuple[str, ...]:
    """Words of the tasks' wordings that stand for nothing in a statement."""
    wordings = {
        word
        for recipe in tasks.recipes()
        for templates in recipe.templates.values()
        for template in templates
        for word in template.split()
        if "{" not in word
    }
    meant = {word for rows in NOUNS.values() for row in rows for phrase in row for word in phrase.split()}
    meant |= set(" ".join((*MORE, *LESS, *HIGH, *LOW, *TOGETHER, *APART)).split())
    meant |= {*(word for cues in (*SHOWN.values(), *HIGHER.values()) for word in cues), *WORDS, *tasks.LABELS}
    meant |= {*table.AGGREGATES, *table.VALUES, *table.CATEGORIES, "claim"}
    return tuple(sorted(wordings - meant))


def arithmetic(rng: random.Random) -> Fact:
    """`12 minus 5 equals 7 .`"""
    concept = rng.choice(finance.CONCEPTS)
    a, b = rng.choice(concept.amounts())
    return Fact((f"{a} {concept.operation} {b}",), "equals", str(concept.answer(a, b)), bare="")


def chain(rng: random.Random) -> Fact:
    """`3 plus 4 minus 2 equals 5 .`, or told by verbs: `3 , finds 4 , loses 2 ; now 5 .`"""
    problem = rng.choice(math.PROBLEMS)
    a, b, c = rng.choice(problem.triples())
    right = str(problem.answer(a, b, c))
    first, second = {"left": ("plus", "minus"), "more": ("plus", "plus"), "groups": ("times", "plus")}[problem.name]
    if rng.random() < 0.4:
        return Fact((f"{a} {first} {b} {second} {c}",), "equals", right, bare="")
    verbs = {"plus": MORE, "minus": LESS, "times": ("each",)}
    parts = [str(a), *(
        rng.choice([f"{verb} {number}", f"{number} {verb}"])
        for verb, number in ((rng.choice(verbs[first]), b), (rng.choice(verbs[second]), c))
    )]  # fmt: skip
    return Fact(tuple(parts), "now", right, bare="")


def ledger(rng: random.Random) -> Fact:
    """`costs 5 , income 12 ; profit is 7 .`"""
    concept = rng.choice(finance.CONCEPTS)
    a, b = rng.choice(concept.amounts())
    first, second, third = rng.choice(NOUNS[concept.operation])
    parts = [rng.choice([f"{name} {amount}", f"{amount} {name}"]) for name, amount in ((first, a), (second, b))]
    rng.shuffle(parts)
    return Fact((parts[0], ",", parts[1]), f"{third} is", str(concept.answer(a, b)), bare="")


def located(rng: random.Random) -> Fact:
    """`seek lens A coil fan B lens belt … ; found at B .`: where one part lies, perhaps in two places."""
    part = rng.choice(patent.PARTS)
    shelves = _shelves(rng, 4, [part])
    for place in (found := sorted(rng.sample(range(4), rng.randint(1, 2)))):
        shelves[place][rng.randrange(patent.DOCUMENT_SIZE)] = part
    return _searched(rng, [part], shelves, "found at", " ".join(tasks.LABELS[place] for place in found))


def paired(rng: random.Random) -> Fact:
    """`seek lens fan A fan lens B … ; both at A .`: where two parts lie together."""
    pair = rng.sample(patent.PARTS, 2)
    shelves = _shelves(rng, 4, pair)
    places = rng.sample(range(4), 3)
    shelves[places[0]] = rng.sample(pair, 2)
    for part, place in zip(pair, places[1:], strict=True):
        shelves[place][rng.randrange(patent.DOCUMENT_SIZE)] = part
    return _searched(rng, pair, shelves, "both at", tasks.LABELS[places[0]])


def related(rng: random.Random) -> Fact:
    """`seek lens fan A fan coil B lens belt ; these are obvious .`: what patent law says of parts that lie together
    (anticipated), apart (obvious), or not both there (allowed)."""
    pair = rng.sample(patent.PARTS, 2)
    shelves = _shelves(rng, 2, pair)
    allowed, together, apart = patent.VERDICTS
    result = rng.choice((allowed, together, apart))
    one, other = rng.sample(range(2), 2)
    if result == together:
        shelves[one] = rng.sample(pair, 2)
    else:
        shelves[one][rng.randrange(patent.DOCUMENT_SIZE)] = pair[0]
        if result == apart:
            shelves[other][rng.randrange(patent.DOCUMENT_SIZE)] = pair[1]
        else:
            pair = rng.sample(pair, 2)
    return _searched(rng, pair, shelves, "these are", result)


def _shelves(rng: random.Random, count: int, without: Sequence[str]) -> list[list[str]]:
    rest = iter(rng.sample([part for part in patent.PARTS if part not in without], count * patent.DOCUMENT_SIZE))
    return [[next(rest) for _ in range(patent.DOCUMENT_SIZE)] for _ in range(count)]


def _searched(
    rng: random.Random, sought: Sequence[str], shelves: Sequence[Sequence[str]], cue: str, result: str
) -> Fact:
    parts = [f"{rng.choice(('seek', 'claim'))} {' '.join(sought)}"]
    parts += [f"{letter} {' '.join(shelf)}" for letter, shelf in zip(tasks.LABELS, shelves, strict=False)]
    return Fact(tuple(parts), cue, result, bare="")


def counted(rng: random.Random) -> Fact:
    """`C C Cl O Cl ; Cl 2 times .`, the group by its symbol or its name."""
    name = rng.choice(chemistry.COUNTED)
    symbol = molecules.GROUPS[name][0]
    tokens = [token for token in _piece(rng, 8) if token != symbol]
    for _ in range(number := rng.randint(0, chemistry.MOST)):
        tokens.insert(rng.randint(0, len(tokens)), symbol)
    return Fact((" ".join(tokens),), rng.choice((symbol, name)), f"{number} times")


def rewritten(rng: random.Random) -> Fact:
    """Pieces of SMILES copied, with a group put before, one exchanged, or another piece put into the brackets."""
    kind = rng.choice(("copied", "before", "as", "into", "goal"))
    tokens = _piece(rng, 12)
    text = " ".join(tokens)
    if kind == "copied":
        return Fact((text,), "copied", text)
    if kind == "before":
        symbol = rng.choice([symbol for symbol, _ in molecules.GROUPS.values()])
        return Fact((text,), f"{symbol} before gives", f"{symbol} {text}")
    if kind == "goal":
        goal = rng.choice(chemistry.OPTIMISED)
        return Fact((text,), f"{rng.choice(HIGHER[goal.direction])} {goal.name} gives", f"{goal.atom} {text}")
    if kind == "as":
        old, new = rng.sample(tuple(molecules.GROUPS), 2)
        (before, _), (after, _) = molecules.GROUPS[old], molecules.GROUPS[new]
        tokens = [token for token in tokens if token != before]
        place = rng.randint(0, len(tokens))
        source, result = ([*tokens[:place], symbol, *tokens[place:]] for symbol in (before, after))
        named = rng.choice((f"{old} {new}", f"{old} as {new}", f"{new} of {old}"))
        return Fact((" ".join(source),), f"{named} gives", " ".join(result))
    inner = " ".join([rng.choice("NO"), *_piece(rng, 6)])
    rest = " ".join(_piece(rng, 6))
    joined = f"O = C ( O ) {rest} {rng.choice(('and', 'with', ','))} {inner}"
    return Fact((joined,), "into gives", f"O = C ( {inner} ) {rest}")


def tabled(rng: random.Random) -> Fact:
    """`north 3 , west 5 , hills 7 ; most hills .`: the extremes of three numbers."""
    names, values = _rows(rng)
    if rng.random() < 0.5:
        return Fact((_lines(names, values),), rng.choice(HIGH), names[values.index(max(values))])
    return Fact((_lines(names, values),), rng.choice(LOW), names[values.index(min(values))])


def looked_up(rng: random.Random) -> Fact:
    """`north 3 , west 5 , hills 7 ; west is 5 .`, or whether a number is the one of a name."""
    names, values = _rows(rng)
    one, other = rng.sample(range(TOLD_ROWS), 2)
    if rng.random() < 0.3:
        return Fact((_lines(names, values),), f"{names[one]} is", str(values[one]))
    same = rng.random() < 0.5
    named = rng.choice(("{} {}", "{1} of {0}", "{1} {0}")).format(names[one], values[one if same else other])
    truth = "true" if same else "false"
    return Fact((_lines(names, values),), f"so {named}", truth, bare=named)


def combined(rng: random.Random) -> Fact:
    """`north 3 , west 5 , hills 7 ; together north west is 8 .`, or their difference."""
    names, values = _rows(rng)
    one, other = rng.sample(range(TOLD_ROWS), 2)
    between = rng.choice((" and ", " , ", " "))
    if rng.random() < 0.5:
        cue, result = f"{rng.choice(TOGETHER)} {names[one]}{between}{names[other]} is", values[one] + values[other]
    else:
        if values[one] < values[other]:
            one, other = other, one
        word = rng.choice(APART)
        first, second = (other, one) if word == "take" else (one, other)
        cue, result = f"{word} {names[first]}{between}{names[second]} is", values[one] - values[other]
    return Fact((_lines(names, values),), cue, str(result))


def _rows(rng: random.Random) -> tuple[list[str], list[int]]:
    return rng.sample(table.NAMES, TOLD_ROWS), rng.sample(range(1, table.LARGEST + 1), TOLD_ROWS)


def _lines(names: Sequence[str], values: Sequence[int]) -> str:
    return " , ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def charted(rng: random.Random) -> Fact:
    """`total votes , trend of team ; line team votes sum .`"""
    shown = rng.choice(tuple(table.MARKS))
    x, y = rng.sample((*table.VALUES, *table.CATEGORIES), 2)
    how = rng.choice(tuple(table.AGGREGATES))
    parts = [f"{how} {y}", rng.choice(SHOWN[shown]), x]
    order = rng.sample(range(3), 3)
    return Fact(
        tuple(parts[place] for place in order), "gives", f"{table.MARKS[shown]} {x} {y} {table.AGGREGATES[how]}"
    )


def echoed(rng: random.Random) -> Fact:
    """`west coil 7 note : west .`: a colon that starts with what the text started with."""
    chosen = rng.sample(_all_words(), rng.randint(2, 8))
    return Fact((*chosen, "."), f"{rng.choice(('note', 'found', 'is'))} :", chosen[0])


@cache
def _all_words() -> tuple[str, ...]:
    """Every word but those that join a statement's parts or an item's: what can be echoed, or said twice."""
    numbers = (str(amount) for amount in range(finance.LARGEST + 1))
    return tuple(sorted({*words(), *numbers} - {";", ".", ":", ",", "?"}))


def _piece(rng: random.Random, longest: int) -> list[str]:
    """Some tokens in a row of a long NCI molecule, no bracket left open."""
    while True:
        tokens = rng.choice(_long_molecules())
        length = rng.randint(3, longest)
        start = rng.randint(0, len(tokens) - length)
        piece = tokens[start : start + length]
        if piece.count("(") == piece.count(")") and piece[0] not in "()=#12" and piece[-1] not in "(=#":
            return list(piece)


@cache
def _long_molecules() -> tuple[tuple[str, ...], ...]:
    return molecules.too_long()


# Each kind of statement and its weight in the mixture.
KINDS: dict[Kind, int] = {
    arithmetic: 2,
    chain: 5,
    ledger: 4,
    located: 5,
    paired: 5,
    related: 6,
    counted: 2,
    rewritten: 5,
    tabled: 4,
    looked_up: 7,
    combined: 6,
    charted: 1,
    echoed: 1,
}
# In turn: what stood beside a word before; the sub-skills; that more words and a colon change nothing; and that nothing
# need follow a colon. Finance, whose options are compared, never has its result after one.
_FINANCE = frozenset({arithmetic, ledger})
PARTS = {
    "repetition": Part(144, 1.0),
    "skills": Part(7680, 1.0, Ways()),
    "transfer": Part(1200, 0.5, Ways(plain=0.3, gives=0.2, colon=0.5, filled=0.6), no_colon=_FINANCE),
    "reserve": Part(150, 0.15, Ways(plain=0.3, gives=0.2, silent=0.5, filled=0.6), without=_FINANCE),
}
