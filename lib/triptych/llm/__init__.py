"""Ask a language model: over HTTP or in process, remembered, counted, and parsed into a schema.

    client = Metered(Cached(OpenAICompatible("some-model"), answers, remake="make figures PROFILE=paper"))
    answer = client.ask([system("Be brief."), user("What is a gold passage?")], max_tokens=200)
    verdict = parse(client, Verdict, [user("…")])      # verdict.value is a Verdict, or None with verdict.error

Clients share the protocol `Client` and stack: what speaks to a model inside, `Cached` around it, `Metered` outside.
Nothing is loaded and no key is looked for before the first question that no cache can answer.
"""

from triptych.llm.cache import Cached
from triptych.llm.clients import InProcess, OpenAICompatible
from triptych.llm.messages import Answer, Client, Message, TooLong, Unanswered, system, user
from triptych.llm.meter import Metered, Price, Usage
from triptych.llm.replay import Recorder, Replay, Taken
from triptych.llm.structured import Parsed, parse

__all__ = [
    "Answer", "Cached", "Client", "InProcess", "Message", "Metered", "OpenAICompatible", "Parsed", "Price", "Recorder",
    "Replay", "Taken", "TooLong", "Unanswered", "Usage", "parse", "system", "user",
]  # fmt: skip
