"""Ten of the recorded answers, asked again on this machine: how many are the same word for word?"""

from __future__ import annotations

import random
import sys

BAR = "legal-rag-regenerate"
STUDY = "legal_rag"
KIND = "long"
UNIT = "of 10 recorded answers word for word the same"
TARGET = ">= 0"  # reported, not demanded: another processor may round otherwise
READS = ("notebooks/legal_rag/recorded/02_factorial/*", "lib/triptych/legal_rag/prompts/*.toml")


def measure() -> float:
    """Ten contexts of the design, drawn with a seed, are put to the live model without any cache."""
    from triptych import keys, stages, tables
    from triptych.legal_rag import benchmark, factorial, generate, grid, questions
    from triptych.llm import InProcess, Replay

    spec = stages.get("legal_rag/02_factorial")
    design = stages.resolve(spec, "full")
    bench = benchmark.eu_law(tokens=design["tokens"])
    items = [*bench.questions, *(item for item in questions.load() if not item.answerable)]
    arms = grid.arms(bench.passages, design["arms"], InProcess())
    todo = list(factorial.contexts(items, design["phrasings"], arms, bench.passages, design["k"], seed=design["seed"]))
    chosen = random.Random(0).sample(todo, 10)
    options = {"temperature": 0, "seed": 0, "max_tokens": design["max_tokens"]}
    live = InProcess()
    kept = factorial.taken(tables.read(keys.recorded_files(spec, "replies.parquet")[0]))
    replay = Replay(live.model, live.defaults, kept, remake="python -m triptych run legal_rag/02_factorial")
    then = factorial.answer(chosen, generate.ModelReader("recorded", replay, **options), bench.corpus)
    now = factorial.answer(chosen, generate.ModelReader("live", live, **options), bench.corpus)
    for old, new in zip(then, now, strict=True):
        if old.reply.text != new.reply.text:
            print(f"{old.context.question.id}: {old.reply.text!r}\n      now: {new.reply.text!r}", file=sys.stderr)
    return float(sum(old.reply.text == new.reply.text for old, new in zip(then, now, strict=True)))
