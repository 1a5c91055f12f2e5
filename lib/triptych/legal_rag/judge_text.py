"""Reading an answer apart for the rubric judge: sentences, clauses, words, numbers, negation, cited articles.

Nothing here is shared with the perturbation set or its checks: a judge that read numbers or negations with the code
that made the test would share its blind spots.
"""

from __future__ import annotations

import re
from functools import cache

import Stemmer

_STEMMER = Stemmer.Stemmer("english")
_SENTENCE = re.compile(r"(?<=[.!?])[\"’”)]*\s+(?=[A-Z0-9(‘“\"])")
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

    A line break counts as a blank.
    """
    return [piece.strip() for piece in _SENTENCE.split(text.replace("\n", " ").strip()) if piece.strip()]


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
_SCALE = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_SPELT = "|".join(sorted(SPELT, key=len, reverse=True))
_NUMBER = re.compile(
    r"(?P<digits>\d{1,3}(?:[ \u00a0\u202f,]\d{3})+(?:[.]\d+)?|\d+(?:[.,]\d+)?)"
    rf"|\b(?P<word>(?:{_SPELT})(?:-(?:{_SPELT}))?)\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[\s\u00a0-]*(?P<scale>hundred|thousand|million|billion)?\b[\s\u00a0-]*(?P<unit>%|[a-z]+)?", re.IGNORECASE
)
_UNIT = {
    "%": "%", "per": "%", "percent": "%", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
    "month": "m", "months": "m", "year": "y", "years": "y",
}  # fmt: skip
_ONE = re.compile(r"\b(?:within|after|every|for) an? (day|week|month|year)\b", re.IGNORECASE)
_SAME = {("w", "d"): 7, ("d", "h"): 24, ("y", "m"): 12}  # so many of the second in one of the first
_REFERENCE = re.compile(
    r"\b(?:articles?|annex(?:es)?|paragraphs?|points?|chapters?|sections?|regulation|directive)\s+(?:\(?[a-z]?\)?\s*)?"
    r"(?:\(EU\)\s*)?[\dIVX]+[a-z]?(?:/\d+)?(?:\s?\([0-9a-z]+\))*(?:,? (?:to|and|or) (?:\(?[0-9a-z]+\)?))*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\bNIS ?2\b|\(\d\)", re.IGNORECASE)


def numbers(text: str, counting: bool = True) -> list[tuple[float, str]]:
    """Numbers with their units ("%", "h", "d", "w", "m", "y" or ""), article references left out.

    "EUR 12.6 million" is 12 600 000, "10 000" is ten thousand, "seventy-two hours" is (72, "h"). One and two in words
    count only with a unit of time, because they are ordinary words too; with `counting` off, every number in words
    needs a unit ("three conditions" then says nothing). "A week" is one week.
    """
    text = _LABEL.sub(" ", _REFERENCE.sub(" ", text))
    found: list[tuple[float, str]] = []
    for match in _NUMBER.finditer(text):
        if match["digits"]:
            value = _digits(match["digits"])
        else:
            value = float(sum(SPELT[part] for part in match["word"].lower().split("-")))
        after = _AFTER.match(text, match.end())
        scale, unit = ((after["scale"] or "").lower(), (after["unit"] or "").lower()) if after else ("", "")
        value *= _SCALE.get(scale, 1)
        unit = _UNIT.get(unit, "")
        if match["word"] and not unit and (value <= 2 or not counting):
            continue
        found.append((value, unit))
    found += [(1.0, _UNIT[match[1].lower()]) for match in _ONE.finditer(text)]
    return found


def _digits(text: str) -> float:
    bare = re.sub(r"[ \u00a0\u202f]", "", text)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", bare):
        return float(bare.replace(",", ""))
    return float(bare.replace(",", "."))


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
