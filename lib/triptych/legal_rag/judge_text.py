"""Reading an answer apart for the rubric judge: sentences, clauses, words, numbers, negation, cited articles.

Nothing here is shared with the perturbation set or its checks: a judge that read numbers or negations with the code
that made the test would share its blind spots.
"""

from __future__ import annotations

import re
from functools import cache

import Stemmer

_STEMMER = Stemmer.Stemmer("english")
# no sentence ends after an abbreviation or after the figure that opens an item of a list
_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\b[Aa]rt\.)(?<!\b[Aa]rts\.)(?<!\b[Nn]o\.)(?<!\b[Mm]ax\.)(?<!\b[Mm]in\.)(?<!\b[Pp]ara\.)"
    r"(?<!\b[Ee]\.g\.)(?<!\bi\.e\.)(?<!\b[Ii]ncl\.)(?<!\b[Rr]eg\.)(?<!\bM[rs]\.)(?<!\b[Dd]r\.)(?<!\s\d\.)"
    r"[\"’”)]*\s+(?=[A-Z0-9(‘“\"])"
)
_BULLET = re.compile(r"\s*\n\s*(?=(?:[-–•*]|\d{1,2}[.)])\s)")  # where an item of a list begins
_MARK = re.compile(r"^(?:[-–•*]|\(?\d{1,2}[.)])\s+")
_CLAUSE = re.compile(
    r"\s*[;:]\s+|\s+[–—]\s+|,\s+(?=(?:and|but|or|nor|which|who|whose|unless|provided|because|since|so|if|except|while|"
    r"whereas|as|where|when|even|though|although|with|for|then|in|not|only|until|by|on|at|to)\b)"
)
_WORD = re.compile(r"[a-z]+(?:[-’'][a-z]+)*|\d+(?:[.,]\d+)*", re.IGNORECASE)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words that carry no content of a rule by themselves. Negations and modal verbs are looked at on their own.
STOP = _set(
    """a an the of to in on at by for from with without as is are was were be been being has have had having do does did
    it its it's this that these those there here they them their he she his her him we our you your i my me who whom
    whose which what when where why how and or but nor so if then than too also both either each any all some such only
    just even still yet once already ever very more most much many other others another same own one ones may might can
    could must shall should will would need needs not no never none nothing neither up out off over under into onto
    about again against between because while during before after until since unless though although however therefore
    thus hence moreover nevertheless otherwise yes well let lets e.g i.e per via upon within whether"""
)


def sentences(text: str) -> list[str]:
    """Sentences, cut after a full stop, question or exclamation mark that a capital, digit or quotation mark follows.

    Each item of a list is at least one sentence, its mark taken off; any other line break counts as a blank.
    """
    items = [_MARK.sub("", item.strip()) for item in _BULLET.split(text)]
    return [
        piece.strip() for item in items for piece in _SENTENCE.split(item.replace("\n", " ").strip()) if piece.strip()
    ]


def clauses(sentence: str) -> list[str]:
    """A sentence cut at semicolons, colons and the commas before conjunctions; a piece of under four words goes to its
    neighbour."""
    pieces: list[str] = []
    for piece in (part.strip() for part in _CLAUSE.split(sentence)):
        if not piece:
            continue
        if pieces and (len(piece.split()) < 4 or len(pieces[-1].split()) < 4):
            pieces[-1] = f"{pieces[-1]}, {piece}"
        else:
            pieces.append(piece)
    return pieces


def words(text: str) -> list[str]:
    """Content words in order, lower case, with repetitions; numbers are read by `numbers` and left out here."""
    found = (match[0].lower().replace("’", "'") for match in _WORD.finditer(text))
    return [word for word in found if word not in STOP and len(word) > 1 and not word[0].isdigit()]


@cache
def stem(word: str) -> str:
    """English Snowball stem of a word, its possessive ending dropped."""
    return _STEMMER.stemWord(re.sub(r"'s?$", "", word))


# --- numbers ---------------------------------------------------------------------------------------------------------

_ONES = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen""".split()  # noqa: SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
SPELT = {
    **{word: value for value, word in enumerate(_ONES, start=1)},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
}
_SCALE = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "mn": 1e6, "mio": 1e6, "bn": 1e9}
_SPELT = "|".join(sorted(SPELT, key=len, reverse=True))
_NUMBER = re.compile(
    r"(?P<digits>\d{1,3}(?:[ \u00a0\u202f,]\d{3})+(?:[.]\d+)?|\d+(?:[.,]\d+)?)"
    rf"|\b(?P<word>(?:{_SPELT})(?:(?:-| |(?<=hundred) and |(?<=thousand) and )"
    rf"(?:{_SPELT}|hundred|thousand|million|billion))*)\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[\s\u00a0-]*(?:(?P<scale>hundred|thousand|million|billion|mn|mio|bn)\b)?[\s\u00a0-]*(?P<unit>%|[a-z]+)?",
    re.IGNORECASE,
)
_UNIT = {
    "%": "%", "per": "%", "percent": "%", "pct": "%", "hour": "h", "hours": "h", "h": "h", "hrs": "h", "hr": "h",
    "day": "d", "days": "d", "week": "w", "weeks": "w", "month": "m", "months": "m", "year": "y", "years": "y",
    "yrs": "y", "yr": "y",
}  # fmt: skip
_ONE = re.compile(r"\b(?:within|after|every|for|at most|once) an? (hour|day|week|month|year)\b", re.IGNORECASE)
_FORTNIGHT = re.compile(r"\bfortnight\b", re.IGNORECASE)
_DATE = re.compile(r"\b(?:(\d{4})-(\d\d)-(\d\d)|(\d{1,2})[./](\d{1,2})[./](\d{4}))\b")
_SAME = {("w", "d"): 7, ("d", "h"): 24, ("y", "m"): 12}  # so many of the second in one of the first
_LIST = (
    r"(?:(?:,|,? (?:to|and|or)|\s?[–-])\s?\(?\d+[a-z]?\b\)?(?! ?(?:%|per|h\b|hour|day|week|month|year))"
    r"(?:\s?\([0-9a-z]+\))*)*"
)
_REFERENCE = re.compile(
    r"\b(?:arts?\.?|articles?|annex(?:es)?|para(?:graph)?s?\.?|points?|chapters?|sections?|regulation|directive|steps?|"
    r"tests?|items?|options?|stages?|nos?\.|numbers?|rules?|grounds?|conditions?)\s+(?:\(?[a-z]?\)?\s*)?"
    rf"(?:\(EU\)\s*)?(?:\d+[a-z]?|[IVX]+)\b(?:/\d+)?(?:\s?\([0-9a-z]+\))*{_LIST}"
    rf"|\b\d+[a-z]?(?:\([0-9a-z]+\))+{_LIST}"
    r"|\b\d+[abc]\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\bNIS ?2\b|\(\d{1,2}\)|^\s*\d{1,2}[.)]\s|(?<=[:;.]) \d[.)](?=\s)", re.IGNORECASE)


def numbers(text: str, counting: bool = True) -> list[tuple[float, str]]:
    """Numbers with their units ("%", "h", "d", "w", "m", "y" or ""), article references and list marks left out.

    "EUR 12.6 million" is 12 600 000, "10 000" is ten thousand, "seventy-two hours" is (72, "h"), "a fortnight" two
    weeks. One and two in words count only with a unit of time, because they are ordinary words too; with `counting`
    off, every number in words and every figure below ten needs a unit ("three conditions" then says nothing). "A week"
    is one week. Of a date in figures the month is left out, as of one with the month in words.
    """
    text = _DATE.sub(lambda date: f" {date[3] or date[4]} of {date[1] or date[6]} ", text)
    text = _LABEL.sub(" ", _REFERENCE.sub(" ", text))
    found: list[tuple[float, str]] = []
    for match in _NUMBER.finditer(text):
        value = _digits(match["digits"]) if match["digits"] else _spelt(match["word"].lower())
        after = _AFTER.match(text, match.end())
        scale, unit = ((after["scale"] or "").lower(), (after["unit"] or "").lower()) if after else ("", "")
        value *= _SCALE.get(scale, 1)
        if unit == "m" and re.search(r"(?:EUR|€|euro) ?$", text[: match.start()]):
            value, unit = value * 1e6, ""
        unit = _UNIT.get(unit, "")
        if value == 0 or (match["word"] and not unit and (value <= 2 or (not counting and value < 100))):
            continue
        if not counting and not unit and value < 10:
            continue
        found.append((value, unit))
    found += [(1.0, _UNIT[match[1].lower()]) for match in _ONE.finditer(text)]
    return found + [(2.0, "w") for _ in _FORTNIGHT.findall(text)]


def _digits(text: str) -> float:
    bare = re.sub(r"[ \u00a0\u202f]", "", text)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", bare):
        return float(bare.replace(",", ""))
    return float(bare.replace(",", "."))


def _spelt(words: str) -> float:
    """The value of a number in words: "one hundred and forty thousand" is 140 000."""
    total = group = 0.0
    for word in re.split(r"-| and | ", words):
        if word == "hundred":
            group = max(group, 1) * 100
        elif word in _SCALE:
            total, group = total + max(group, 1) * _SCALE[word], 0.0
        else:
            group += SPELT[word]
    return total + group


def same_number(first: tuple[float, str], second: tuple[float, str]) -> bool:
    """Whether two numbers are the same quantity: 1 year is 12 months, 72 hours are 3 days; no unit fits any unit."""
    (a, unit), (b, other) = first, second
    if a == b and (unit == other or not unit or not other):
        return True
    return any(
        {unit, other} == {big, small} and (a * times == b if unit == big else b * times == a)
        for (big, small), times in _SAME.items()
    )


# --- negation --------------------------------------------------------------------------------------------------------

_NEGATOR = re.compile(
    r"\b(?:not|no|never|neither|nor|nobody|none|nothing|nowhere|cannot|without|hardly|instead of|other than|"
    r"\w+n[’']t)\b",
    re.IGNORECASE,
)
_NOT_NEGATING = re.compile(
    r"\b(?:not only|not just|not merely|no (?:longer|later|more|less|fewer|sooner|earlier) than|no doubt|"
    r"without (?:any )?(?:undue |further )?delay|whether or not|not (?:later|less|more|earlier) than|no matter)\b",
    re.IGNORECASE,
)
# verbs, nouns and adjectives that deny by their meaning
_DENIAL = re.compile(
    r"\b(?:exempt\w*|exclu(?:de[ds]?|sion)|prohibit\w*|forbid\w*|forbidden|bans?|banned|dispens\w+|spared?|"
    r"free (?:of|from)|refus\w+|reject\w*|den(?:y|ies|ied)|lacks?|ceas\w+|prevent\w*|unlawful\w*|illegal\w*|outside|"
    r"irrelevant|immaterial|waive\w*|reliev\w*|left out|left aside|leave\w* out|void|silent|silence|unless|except)\b",
    re.IGNORECASE,
)
# words by which an exception is swept aside or a condition lifted, or the scope of a rule is moved
_SWEEPING = re.compile(
    r"\b(?:whether or not|no matter|makes? no difference|regardless|irrespective|whatever|however \w+ (?:the|it)|"
    r"like any other|solely|merely|alone|always|never|any more|anyway|in any case|as well|too|also|even|"
    r"no (?:dut(?:y|ies)|obligation|need|requirement|exception|derogation)|under no|"
    r"nothing (?:obliges|requires|prevents)|"
    r"need not|not have to|extends? to|only (?:if|when|where|from|once|after))\b",
    re.IGNORECASE,
)


def _without_idioms(text: str) -> str:
    return _NOT_NEGATING.sub(" ", text)


def negations(text: str) -> int:
    """How many words of a text negate: "not", "never", "without", "n't" …; "no later than" and the like do not, and
    "neither … nor" counts once."""
    bare = _without_idioms(text)
    found = len(_NEGATOR.findall(bare))
    if re.search(r"\bneither\b", bare, re.IGNORECASE):
        found -= len(re.findall(r"\bnor\b", bare, re.IGNORECASE))
    return found


def denials(text: str) -> int:
    """How many words deny by their meaning ("exempt", "prohibited", "unless")."""
    return len(_DENIAL.findall(_without_idioms(text)))


def sweeping(text: str) -> int:
    """How many words sweep a condition or an exception aside, or move the scope of a rule ("whether or not")."""
    return len(_SWEEPING.findall(text))


_TOKEN = re.compile(r"[A-Za-z]+(?:[-’'][A-Za-z]+)*|[.,;:()]")
_ENDS_SCOPE = _set("but unless because since if where when until although though while however provided")
REACH = 7  # words after a negator that it may negate


def negated(text: str) -> list[bool]:
    """For each word of `words(text)`, whether it stands in the reach of a negator of the same clause."""
    found: list[bool] = []
    left = 0
    for token in _TOKEN.findall(_without_idioms(text)):
        if token in ".;:":
            left = 0
        elif token in ",()":
            left = min(left, 2)
        elif _NEGATOR.fullmatch(token):
            left = 0 if left and token.lower() == "without" else REACH
        else:
            if token.lower() in _ENDS_SCOPE:
                left = 0
            found += [left > 0] * len(words(token))
            left = max(0, left - 1)
    return found


_AUXILIARY = re.compile(
    r"\b(may|must|shall|can|could|should|will|would|is|are|was|were|has to|have to|has|have|does|do|need)\b",
    re.IGNORECASE,
)
_UNDO = [
    (re.compile(r"\b(does|do|did) not (\w+)", re.IGNORECASE), r"\1 \2"),
    (re.compile(r"\bcannot\b", re.IGNORECASE), "can"),
    (re.compile(r"\bneed not (?:be )?", re.IGNORECASE), "must be "),
    (re.compile(r"\b(?:not|never)\b ?", re.IGNORECASE), ""),
    (re.compile(r"\b[Nn]o (?=\w)"), "a "),
    (re.compile(r"\bnone of\b", re.IGNORECASE), "all of"),
    (re.compile(r"\bwithout\b", re.IGNORECASE), "with"),
]


def denied(claim: str) -> str:
    """The opposite of a claim in plain words: a negation taken out where there is one, put in where there is none."""
    if negations(claim):
        safe = claim
        for pattern, by in _UNDO:
            undone = pattern.sub(by, safe, count=1)
            if undone != safe:
                return undone
    match = _AUXILIARY.search(claim)
    if not match:
        return f"It is not the case that {claim[:1].lower()}{claim[1:]}"
    verb = match[0].lower()
    opposite = {"has to": "does not have to", "have to": "do not have to", "must": "need not", "shall": "shall not"}
    new = opposite.get(verb, f"{match[0]} not")
    return claim[: match.start()] + new + claim[match.end() :]


# --- force -----------------------------------------------------------------------------------------------------------

# What a statement does to somebody: it frees, forbids, obliges or allows; and whether it narrows or widens itself.
_FREES = re.compile(
    r"\b(?:need(?:s)? not|needn[’']t|(?:do|does|did|would|will)(?:n[’']t| not) (?:even )?(?:have|need) to|"
    r"(?:not|never|n[’']t)(?: \w+){0,2} (?:required|obliged|obligatory|bound|necessary|needed|due|owed|called for|"
    r"wanted)|"
    r"no (?:need|duty|obligation|requirement|approval|notification|communication)|not (?:have|has|need) to|"
    r"nobody (?:has|needs) to|nothing (?:obliges|requires)|voluntary|optional|free to|exempt\w*|spared?|dispens\w+|"
    r"do without|waive[sd]?|frees?|freed|released?|lifts?|relieve[sd]?|lets? .{0,12}off|unnecessary|superfluous|"
    r"not apply|not applicable|no longer apply)\b",
    re.IGNORECASE,
)
_FORBIDS = re.compile(
    r"\b(?:(?:may|must|shall|can|could) (?:not|never|no longer|neither)|mustn[’']t|cannot|can[’']t|"
    r"(?:not|never|n[’']t|no longer)(?: \w+){0,2} (?:allowed|permitted|entitled|possible|able|open|free|authorised|"
    r"empowered|be|allow|permit|let)|forbid\w*|forbidden|prohibit\w*|bann?\w*|barred|off limits|impossible|"
    r"excluded?|excludes|outlawed|illegal|unlawful|refuses?|denies|denied|nobody|"
    r"no \w+(?: \w+)? (?:may|can|must|shall)|nor|neither|never|prevents?|nowhere|out of the question)\b",
    re.IGNORECASE,
)
_OBLIGES = re.compile(
    r"\b(?:must|ha(?:s|ve|d) to|shall|(?:is|are|be) to|needs? to|needed|required?|requires|obliged?|obliges|"
    r"obligation|duty|duties|bound|due|owed?|owes|compulsory|mandatory|necessary|ensures?|sees? to it|make sure)\b",
    re.IGNORECASE,
)
_ALLOWS = re.compile(
    r"\b(?:may|can|could|allow(?:s|ed)?|permit(?:s|ted)?|entitled|possible|possibility|able|free to|lets?|right|"
    r"authorise[sd]?|options?|optional|open to|empower\w*)\b",
    re.IGNORECASE,
)
_NARROWS = re.compile(
    r"\b(?:only|sole(?:ly)?|merely|at most|at least|no (?:more|longer|later|further|wider|other|less|earlier) than|"
    r"not (?:more|longer|later) than|maximum|minimum|limit(?:ed|s)?|up to|max|min|strictly|confined|restricted|until|"
    r"unless|except|provided|if|where|when)\b",
    re.IGNORECASE,
)
_WIDENS = re.compile(
    r"\b(?:even (?:if|though|when|where|after|before|as)|whether or not|regardless|whatever|irrespective|no matter|"
    r"anyway|as well|too|also|without any|no (?:condition|limit|reason|exception|difference)|any time|for good|"
    r"makes? no difference|although)\b",
    re.IGNORECASE,
)
FORCES = ("frees", "forbids", "obliges", "allows", "denies", "narrows", "widens")


def forces(text: str) -> tuple[bool, ...]:
    """Which of `FORCES` a text has. "Need not" frees and does not oblige, "may not" forbids and does not allow.

    *Denies* is an odd number of negating words.
    """
    rest = _FREES.sub(" ", text)
    bare = _FORBIDS.sub(" ", rest)
    return (
        rest != text,
        bare != rest,
        bool(_OBLIGES.search(bare)),
        bool(_ALLOWS.search(bare)),
        (negations(text) + denials(text)) % 2 == 1,
        bool(_NARROWS.search(text)),
        bool(_WIDENS.search(text)),
    )


# --- what sort of sentence -------------------------------------------------------------------------------------------

_RULE = re.compile(
    r"\b(?:must|shall|ha(?:s|ve) to|had to|may|can|(?:is|are) (?:to|entitled|obliged|required)|within|at least|at most|"
    r"automatically|by law|requires?|applies|each|every|first|before|after)\b",
    re.IGNORECASE,
)
# Words in which an answer speaks of itself, of the question or of the order of things; no rule is made of them.
SIGNPOSTS = _set(
    """answer answers ask asks beginning case cases consequence course difference direction directions end entry fact
    facts ground hand half heart issue kind line list look looks matter matters meaning minimum moment order part parts
    place point points price principle provision provisions question questions reason reasons regulation result rule
    rules search sense sentence sequence side sides situation sort step steps story term terms text thing things time
    times way ways word words wrong right true false mistaken simple simply short long briefly exactly precisely indeed
    really quite rather clear clearly plain together separately turn turns follows follow means mean says say going
    goes go comes come gets get takes take makes make keeps keep puts put gives give given"""
)


def states_rule(text: str) -> bool:
    """Whether a text has a word that rules are made of (must, may, within, is to …)."""
    return bool(_RULE.search(text))


# What an answer that declines says: that it cannot, that it found nothing, that this is not in what it was given.
_CANNOT = (
    r"(?:can ?not|can[’']t|could not|couldn[’']t|unable to|not able to|not in a position to|won[’']t|will not|"
    r"do(?:es)? not|don[’']t|doesn[’']t|did not|didn[’']t)(?: \w+){0,2} "
    r"(?:answer|say|tell|know|find|determine|decide|guess|judge|settle|see|help|reply|speculate|contain|address|cover)"
)
_THING = r"(?:answer|opinion|reply|statement|information|passage|text|source|provision|conclusion|number|rule)"
_TEXTS = r"(?:passages?|texts?|sources?|documents?|retrieved|provisions?|material|supplied|found|speaks?|tells?|deals?)"
_DECLINE = re.compile(
    rf"\b(?:{_CANNOT}|(?:refrain|abstain|decline)\w*|no {_THING}\b(?! (?:is|are|has|may)\b)|"
    rf"(?:nothing|none|nowhere|neither)\b.{{0,60}}\b{_TEXTS}|(?:see|found|find|know|read|contains?|says?) nothing|"
    r"insufficient information|not answerable|unanswerable|unclear|speculation|guess(?:ing|work)?|silent on|"
    r"empty-handed|"
    r"(?:not|never|neither) (?:been )?(?:touched|covered|mentioned|contained|supplied|given|provided|stated|specified|"
    r"seen|settled|answered|addressed|here|there|shown)\b|cannot be (?:settled|answered|determined|said|told|decided)|"
    r"(?:beyond|outside) (?:what|the (?:texts|passages|acts|six|material))|i lack|for want of|stops? short|"
    r"leave .{0,30}open|is open|other matters|rather not|not sure|not certain|no idea|only one i hold)\b",
    re.IGNORECASE,
)


def declines(text: str) -> int:
    """How many phrases of a text decline to answer ("I cannot tell", "nothing in the sources")."""
    return len(_DECLINE.findall(text))
