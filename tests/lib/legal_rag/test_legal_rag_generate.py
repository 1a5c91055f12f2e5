"""Readers: what they are shown, when they abstain, and that an extractive one can only quote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import ModelError, ParameterError
from triptych.legal_rag import chunk, generate
from triptych.legal_rag.chunk import Passage
from triptych.legal_rag.corpus import Corpus
from triptych.llm import Answer, Message, Recorder, TooLong, user
from triptych.llm.cache import key


class Model:
    """A model that says what it is told to, and remembers what it was asked."""

    model = "stand-in"

    def __init__(self, text: str = "It is erased.", finish: str = "stop", error: ModelError | None = None) -> None:
        self.text, self.finish, self.error = text, finish, error
        self.defaults: dict[str, Any] = {}
        self.messages: Sequence[Message] = ()
        self.parameters: dict[str, Any] = {}

    def ask(self, messages: Sequence[Message], **parameters: Any) -> Answer:
        if self.error:
            raise self.error
        self.messages, self.parameters = messages, parameters
        return Answer(text=self.text, finish=self.finish, prompt_tokens=7, completion_tokens=3, seconds=0)


@pytest.fixture(scope="module")
def gdpr17(eu_law: Corpus) -> list[Passage]:
    return chunk.semantic(eu_law.only(["gdpr/17"]))


def test_a_model_is_shown_the_passages_under_the_names_of_their_articles(eu_law: Corpus, gdpr17: list[Passage]) -> None:
    model = Model()
    reply = generate.ModelReader("m", model, max_tokens=9).answer("When is it erased?", gdpr17[:2], eu_law)
    said = model.messages[-1].content
    assert f"[1] GDPR, Article 17\n{gdpr17[0].text}" in said
    assert f"[2] GDPR, Article 17\n{gdpr17[1].text}" in said
    assert said.index(gdpr17[1].text) < said.index("Question: When is it erased?")
    assert model.parameters == {"max_tokens": 9}
    assert (reply.text, reply.outcome, reply.prompt) == ("It is erased.", "answered", "passages@2")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.replayed) == (7, 3, False)


def test_without_passages_the_book_is_closed(eu_law: Corpus) -> None:
    model = Model()
    reply = generate.ModelReader("m", model).answer("When?", [], eu_law)
    assert reply.prompt == "closed-book@2"
    assert "assages" not in "".join(message.content for message in model.messages)


def test_outcomes(eu_law: Corpus, gdpr17: list[Passage]) -> None:
    def outcome(model: Model) -> str:
        return generate.ModelReader("m", model).answer("q", gdpr17[:1], eu_law).outcome

    assert outcome(Model("I cannot answer this from the passages.")) == "abstained"
    assert outcome(Model("")) == outcome(Model(" \n", finish="length")) == "empty"
    assert outcome(Model("It is", finish="length")) == "cut off"
    assert outcome(Model(error=TooLong("prompt exceeds the context size"))) == "too long"
    with pytest.raises(ModelError, match="refused"):
        outcome(Model(error=ModelError("refused with HTTP status 401")))


@pytest.mark.parametrize(
    ("text", "abstained"),
    [
        ("I cannot answer this from the passages.", True),
        ("The passages do not answer this question.", True),
        ("The text doesn’t say whether that is allowed.", True),
        ("This is not mentioned in the passages.", True),
        ("I do not know.", True),
        ("There is not enough information in the passages to say.", True),
        ("I'm unable to answer this question.", True),
        ("I am not able to determine this from what I was given.", True),
        ("Sorry, I can’t answer that.", True),
        ("Cannot answer.", True),
        ("The provided text does not include this.", True),
        ("The GDPR does not provide a clear answer to this question.", True),
        ("This question cannot be answered.", True),
        ("That cannot be determined from these passages.", True),
        ("There is no information on this in the passages.", True),
        ("Unfortunately the passages, which concern Articles 5 and 6, don't address it.", True),
        ("The controller does not provide the data within one month.", False),
        ("A processor cannot answer a request in the controller's place.", False),
        ("Users do not know that they speak to a machine, so they must be told.", False),
        ("The passage states that the notice does not contain the name.", False),
        ("If the data are not included in the notice, the controller has to say so.", False),
        ("There is no information duty where the person has the information.", False),
        ("No. The controller need not answer within a month.", False),
        ("Yes, within 72 hours. The passages do not say more.", False),
        ("The controller does not have to tell the patients.", False),
    ],
)
def test_abstention_is_read_from_the_first_sentence(text: str, abstained: bool) -> None:
    assert generate.abstains(text) is abstained


WORDS = st.sampled_from(
    ["controller", "erase", "data", "kettle", "update", "supervisor", "report", "five", "the", "of"]
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=8), min_size=1, max_size=6), st.lists(WORDS, max_size=8))
def test_the_extractive_reader_only_quotes_or_abstains(sentences: list[list[str]], question: list[str]) -> None:
    text = " ".join(" ".join(words).capitalize() + "." for words in sentences)
    passages = [Passage("x/1", 0, len(text), text, 1)]
    reply = generate.ExtractiveReader().answer(" ".join(question), passages, Corpus("none", {}, {}))
    if reply.outcome == "answered":
        quoted = generate.split(reply.text)
        assert 1 <= len(quoted) <= 2
        assert set(quoted) <= set(generate.split(text))
    else:
        assert generate.abstains(reply.text)


def test_the_extractive_reader_finds_the_sentence(eu_law: Corpus) -> None:
    passages = chunk.semantic(eu_law.only(["gdpr/33"]))
    reply = generate.ExtractiveReader(1).answer(
        "within how many hours must a controller notify the supervisory authority of a breach?", passages, eu_law
    )
    assert "72 hours" in reply.text
    assert generate.ExtractiveReader().answer("xylophone", passages, eu_law).outcome == "abstained"
    assert generate.ExtractiveReader().answer("anything", [], eu_law).outcome == "abstained"


def test_prompts_are_found_by_name() -> None:
    assert generate.prompt("passages").id == "passages@2"
    with pytest.raises(ParameterError, match="closed-book"):
        generate.prompt("no such")


def test_sampling_keeps_the_digests_of_the_record_and_leaves_out_a_negative_temperature() -> None:
    recorded = {"temperature": 0, "seed": 0, "max_tokens": 96}  # as the committed answers were asked
    for temperature in (0, 0.0):
        asked = generate.sampling(temperature, 96, 0)
        assert key("m", [user("q")], asked) == key("m", [user("q")], recorded)
    assert generate.sampling(0.7, 9, 3) == {"temperature": 0.7, "seed": 3, "max_tokens": 9}
    assert generate.sampling(-1, 9, 0) == {"seed": 0, "max_tokens": 9}
    with pytest.raises(ParameterError, match="0 tokens"):
        generate.sampling(0, 0, 0)


def test_two_vendors_are_asked_each_at_its_own_address_with_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Served:
        def __init__(self, model: str, base_url: str | None = None, key: str | None = None) -> None:
            self.model, self.where, self.defaults = model, (base_url, key), dict[str, Any]()

        def ask(self, messages: Sequence[Message], **parameters: Any) -> Answer:
            asked.append({"model": self.model, "where": self.where, **parameters})
            if messages[-1].content == "bad":
                raise ModelError("refused", "check OPENAI_API_KEY")
            return Answer(text="Yes.", seconds=0)

    monkeypatch.setattr(generate, "OpenAICompatible", Served)
    monkeypatch.setenv("GEMINI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    gemini, openai, bare, path = (
        generate.hosted(name) for name in ("gemini/flash", "openai/flash", "flash", "meta-llama/flash")
    )
    names = [client.model for client in (gemini, openai, bare, path)]
    assert names == ["gemini/flash", "flash", "flash", "meta-llama/flash"]  # openai's two names are one model
    with pytest.raises(ModelError, match="needs a key") as caught:
        gemini.ask([user("q")])
    assert "GEMINI_API_KEY" in str(caught.value.hint)
    monkeypatch.setenv("GEMINI_API_KEY", "secret")
    assert gemini.ask([user("q")], seed=1, max_tokens=5).text == "Yes."
    openai.ask([user("q")], seed=1)
    assert asked == [
        {"model": "flash", "where": ("http://127.0.0.1:9/v1", "secret"), "max_tokens": 5},  # it takes no seed
        {"model": "flash", "where": (None, None), "seed": 1},
    ]
    with pytest.raises(ModelError, match="refused") as caught:
        gemini.ask([user("bad")])
    assert caught.value.hint == "check GEMINI_API_KEY"
    for name in ("isaacus/kanon-2-embedder", "gemini/"):
        with pytest.raises(ParameterError, match="names no model that answers"):
            generate.hosted(name)


def test_recorded_answers_are_given_again_and_only_the_rest_is_asked() -> None:
    recorder = Recorder(Model("then"))
    recorder.ask([user("known")], max_tokens=9)
    now = Model("now")
    reused = generate.Reused(now, recorder.taken)
    old = reused.ask([user("known")], max_tokens=9)
    assert (old.text, old.replayed, now.messages) == ("then", True, ())
    for messages, parameters in (([user("new")], {"max_tokens": 9}), ([user("known")], {"max_tokens": 10})):
        assert reused.ask(messages, **parameters).text == "now"  # another question, or under other parameters


def test_a_recorded_question_that_was_too_long_still_is() -> None:
    recorder = Recorder(Model(error=TooLong("4,100 tokens")))
    with pytest.raises(TooLong):
        recorder.ask([user("long")])
    now = Model("now")
    with pytest.raises(TooLong, match="4,100"):
        generate.Reused(now, recorder.taken).ask([user("long")])
    assert now.messages == ()
