"""The tiny base's word-level tokenizer: one token for each word and each amount that the environment uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triptych.ft_dojo import pretraining
from triptych.ft_dojo.tasks import finance

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<bos>", "<unk>")


def words() -> list[str]:
    """The vocabulary in order of token id: special tokens, numbers, then the words of tasks and pretraining."""
    amounts = [str(amount) for amount in range(finance.LARGEST + 1)]
    rest = {"answer", ":", *pretraining.words()}
    return [*SPECIAL, *amounts, *sorted(rest - set(amounts))]


def tokenizer() -> PreTrainedTokenizerFast:
    """Words are what white space separates; `<bos>` starts every text; a foreign word is `<unk>`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {word: index for index, word in enumerate(words())}
    inner = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]  (stub lacks setters)
    inner.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
        single="<bos> $A", special_tokens=[("<bos>", ids["<bos>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<bos>", unk_token="<unk>", padding_side="right"
    )
