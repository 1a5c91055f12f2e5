"""Mathematics with missing solutions: a model answers its own training questions, and an exact checker sorts them.

A few rows have answers, most have none. Each round trains on what there is, lets the model answer every open question
several times, and keeps an answer only where the checker agrees (rejection sampling, as in STaR: Zelikman et al. 2022).
The checker says yes or no to an answer and never gives one away. Everything asked, kept and dropped is in the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from triptych.errors import ParameterError
from triptych.ft_dojo import evaluate, tasks, trainer
from triptych.ft_dojo.tasks import Item, Sample
from triptych.ft_dojo.tiny import Base
from triptych.ft_dojo.trainer import TrainSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Arm = Literal["answered rows", "kept unchecked", "kept where the checker agrees", "all solutions"]
ARMS: tuple[Arm, ...] = ("answered rows", "kept unchecked", "kept where the checker agrees", "all solutions")


@dataclass(frozen=True)
class Asked:
    """One open question of one round: its prompt, each different answer that was written and how often, what was kept.

    `right` is the checker's word on what was kept; None where nothing was.
    """

    round: int
    prompt: str
    written: tuple[tuple[str, int], ...]
    kept: str | None
    right: bool | None


@dataclass(frozen=True)
class Synthesis:
    """One arm's run: test score in normalised points after each round, and every question of every round."""

    arm: Arm
    seed: int
    answered: int
    points: tuple[float, ...]
    asked: tuple[Asked, ...]

    def counts(self) -> list[dict[str, Any]]:
        """One row a round: questions asked, kept, dropped, and how many of those kept are right."""
        rows: list[dict[str, Any]] = []
        for number, points in enumerate(self.points):
            asked = [one for one in self.asked if one.round == number]
            kept = [one for one in asked if one.kept is not None]
            right = sum(bool(one.right) for one in kept)
            rows.append(
                {"arm": self.arm, "seed": self.seed, "round": number, "points": points, "asked": len(asked),
                 "kept": len(kept), "dropped": len(asked) - len(kept), "kept right": right}
            )  # fmt: skip
        return rows


def checker(item: Item, answer: str) -> bool:
    """Whether an answer is exactly right."""
    return answer.split() == item.answer.split()


def run(
    arm: Arm,
    base: Base,
    seed: int,
    spec: TrainSpec,
    answered: int,
    rounds: int,
    samples: int,
    sizes: Mapping[str, int] | None = None,
    name: str = "math",
) -> Synthesis:
    """Play one arm. The first `answered` clean training rows have answers, the others' are taken away.

    `samples` answers are drawn for each open question at temperature 1. Unchecked, the most frequent is kept; checked,
    one that the checker agrees with. "all solutions" is the ceiling: nothing is missing, nothing is asked. Every
    training starts from the base. Raises ParameterError when no row would be left open or answered.
    """
    made = tasks.make(name, seed, sizes, defects={})
    pool = made.splits["train"]
    if not 0 < answered < len(pool):
        raise ParameterError(f"{answered} answered rows of {len(pool)}", f"1 to {len(pool) - 1}")
    tokenizer = base.tokenizer()
    known = [_sample(item, item.answer) for item in (pool if arm == "all solutions" else pool[:answered])]
    points: list[float] = []
    asked: list[Asked] = []
    asking = arm in ("kept unchecked", "kept where the checker agrees")
    kept: dict[str, Sample] = {}
    for number in range(rounds if asking else 1):
        rows = [*known, *kept.values()]
        examples = [trainer.encode(row.prompt, row.completion, tokenizer) for row in rows]
        model, _ = trainer.train(base.load(), examples, spec.but(seed=seed))
        answers = evaluate.answers(model, tokenizer, made.splits["test"])
        points.append(made.normalised(made.score(answers)))
        if number == rounds - 1 or not asking:
            break
        open_items = [item for item in pool[answered:] if item.id not in kept or arm == "kept unchecked"]
        texts = sampled(model, tokenizer, [item.prompt for item in open_items], samples, seed * 1000 + number)
        for item, written in zip(open_items, texts, strict=True):
            one = _judged(arm, number, item, written)
            asked.append(one)
            if one.kept is not None:
                kept[item.id] = _sample(item, one.kept)
    return Synthesis(arm, seed, answered, tuple(points), tuple(asked))


def _judged(arm: Arm, number: int, item: Item, written: Sequence[str]) -> Asked:
    counts = Counter(text for text in written if text)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    if arm == "kept unchecked":
        kept = ranked[0][0] if ranked else None
    else:
        kept = next((text for text, _ in ranked if checker(item, text)), None)
    return Asked(number, item.prompt, tuple(ranked), kept, None if kept is None else checker(item, kept))


def _sample(item: Item, answer: str) -> Sample:
    return Sample(item.prompt, item.completion(answer))


def sampled(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    samples: int,
    seed: int,
    longest: int = 4,
) -> list[list[str]]:
    """`samples` answers to each prompt at temperature 1, up to the first full stop or `longest` tokens.

    Prompts of equal length share a batch. An answer without its full stop is empty: it was not finished.
    """
    import torch

    forward = cast("Any", model)  # transformers' stubs lose Module.__call__
    stop = tokenizer(evaluate.STOP, add_special_tokens=False)["input_ids"][-1]
    ids = [list(tokenizer(prompt)["input_ids"]) for prompt in prompts]
    lengths: dict[int, list[int]] = {}
    for index, row in enumerate(ids):
        lengths.setdefault(len(row), []).append(index)
    found: list[list[str]] = [[] for _ in prompts]
    model.eval()
    with trainer.deterministic(seed), torch.inference_mode():
        for members in lengths.values():
            last = torch.tensor([ids[index] for index in members for _ in range(samples)])
            made: list[torch.Tensor] = []
            past: Any = None
            while len(made) < longest:
                step = forward(input_ids=last, past_key_values=past, use_cache=True, logits_to_keep=1)
                past = step.past_key_values
                last = torch.multinomial(step.logits[:, -1].softmax(dim=-1), 1)
                made.append(last)
            for place, row in enumerate(torch.cat(made, dim=1).tolist()):
                text = str(tokenizer.decode(row[: row.index(stop)])).strip() if stop in row else ""
                found[members[place // samples]].append(text)
    return found
