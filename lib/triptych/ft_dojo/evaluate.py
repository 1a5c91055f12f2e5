"""Scoring by the log-likelihood of the options, and accuracy with an exact interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from triptych.errors import ParameterError
from triptych.ft_dojo import trainer
from triptych.ft_dojo.tasks import LABELS, Item

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

STOP = " ."  # ends an answer
LONGEST_ANSWER = 24  # tokens of a written answer


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers with its exact (Clopper–Pearson) interval, and the chance level to read it against."""

    correct: int
    total: int
    chance: float
    level: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.total or self.total == 0:
            raise ParameterError(f"{self.correct} right of {self.total} is no accuracy", "score at least one item")

    @property
    def value(self) -> float:
        """Right answers over answers."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper–Pearson limits (Biometrika 26, 1934): cover the true accuracy in at least `level` of all samples."""
        from statsmodels.stats.proportion import proportion_confint

        limits: Any = proportion_confint(self.correct, self.total, alpha=1 - self.level, method="beta")
        return float(limits[0]), float(limits[1])


def continuation_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[tuple[str, Sequence[str]]],
    batch: int = 128,
) -> NDArray[np.float64]:
    """Log-likelihood of each continuation of each prompt, summed over its tokens (nats): (rows, continuations).

    Nothing is generated, so no answer is lost by its form. `batch` counts sequences, one for each continuation.
    """
    import torch

    examples = [trainer.encode(prompt, text, tokenizer) for prompt, texts in rows for text in texts]
    # Texts of equal length share a batch: little padding, and logits are needed for the last few positions only.
    order = sorted(range(len(examples)), key=lambda index: (examples[index].targets[0], len(examples[index].ids)))
    device = next(model.parameters()).device
    scores = np.empty(len(examples))
    model.eval()
    with trainer.deterministic(0), torch.inference_mode():
        for start in range(0, len(examples), batch):
            chosen = order[start : start + batch]
            ids, mask, labels = (part.to(device) for part in trainer.collate([examples[index] for index in chosen]))
            kept = ids.shape[1] - min(examples[index].targets[0] for index in chosen) + 1
            logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=kept).logits[:, :-1].float()
            losses = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), labels[:, 1 - kept :], reduction="none", ignore_index=trainer.IGNORED
            )
            scores[chosen] = -losses.double().sum(dim=1).cpu().numpy()
    return scores.reshape(len(rows), -1)


def option_scores(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, items: Sequence[Item]
) -> NDArray[np.float64]:
    """`continuation_scores` of the options of each item, equally many: (items, options), log-likelihoods in nats.

    Sums are not divided by length: every completion ends with the same full stop, so they compare whole answers.
    """
    rows = [(item.prompt, [item.completion(option) for option in item.options]) for item in items]
    return continuation_scores(model, tokenizer, rows)


def predictions(scores: NDArray[np.float64]) -> list[str]:
    """The most likely label of each row of scores (items, options); the first of equals."""
    return [LABELS[index] for index in scores.argmax(axis=1)]


def greedy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], longest: int = LONGEST_ANSWER
) -> list[str]:
    """What the model most likely writes after each prompt, up to the first full stop or `longest` tokens.

    Prompts of equal length share a batch, so nothing is padded.
    """
    import torch

    forward = cast("Any", model)  # transformers' stubs lose Module.__call__
    stop = tokenizer(STOP, add_special_tokens=False)["input_ids"][-1]
    ids = [list(tokenizer(prompt)["input_ids"]) for prompt in prompts]
    lengths: dict[int, list[int]] = {}
    for index, row in enumerate(ids):
        lengths.setdefault(len(row), []).append(index)
    texts = [""] * len(prompts)
    device = next(model.parameters()).device
    model.eval()
    with trainer.deterministic(0), torch.inference_mode():
        for members in lengths.values():
            last = torch.tensor([ids[index] for index in members], device=device)
            made: list[torch.Tensor] = []
            past: Any = None
            open_ends = torch.ones(len(members), dtype=torch.bool, device=device)
            while open_ends.any() and len(made) < longest:
                step = forward(input_ids=last, past_key_values=past, use_cache=True, logits_to_keep=1)
                past, last = step.past_key_values, step.logits[:, -1].argmax(dim=-1, keepdim=True)
                made.append(last)
                open_ends &= last[:, 0] != stop
            for index, row in zip(members, torch.cat(made, dim=1).tolist(), strict=True):
                texts[index] = str(tokenizer.decode(row[: row.index(stop)] if stop in row else row)).strip()
    return texts


def answers(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, items: Sequence[Item]) -> list[str]:
    """The model's answer to each item as text: the likeliest option, or what it writes where there are no options."""
    found = [""] * len(items)
    groups: dict[int, list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(len(item.options), []).append(index)
    for count, members in groups.items():
        chosen = [items[index] for index in members]
        if count:
            best = option_scores(model, tokenizer, chosen).argmax(axis=1)
            texts = [item.options[place] for item, place in zip(chosen, best, strict=True)]
        else:
            texts = greedy(model, tokenizer, [item.prompt for item in chosen])
        for index, text in zip(members, texts, strict=True):
            found[index] = text
    return found


def exact_match(predicted: Sequence[str], items: Sequence[Item], chance: float) -> Accuracy:
    """Accuracy of predicted labels. Raises ParameterError when the numbers of answers and items differ."""
    if len(predicted) != len(items):
        raise ParameterError(f"{len(predicted)} answers for {len(items)} items", "answer every item once, in order")
    right = sum(answer == item.label for answer, item in zip(predicted, items, strict=True))
    return Accuracy(right, len(items), chance)
