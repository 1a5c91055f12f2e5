"""A small factorial for the bar of the kills: run as a program it answers, judges and writes its table.

python factorial_run.py URL ANSWERS.jsonl TABLE.jsonl
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from triptych.legal_rag import chunk, corpus, factorial, generate, questions
from triptych.legal_rag.judge import Case, Verdict
from triptych.legal_rag.retrieve import Bm25
from triptych.llm import Cached, OpenAICompatible

QUESTIONS = 40


class Server:
    """A chat endpoint on the loopback: takes 20 ms, answers with the question's length, notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                said = body["messages"][-1]["content"]
                outer.asked.append(said)
                time.sleep(0.02)
                reply = {"choices": [{"message": {"content": f"It has {len(said)} signs."}, "finish_reason": "stop"}]}
                data = json.dumps(reply).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    return  # the client was killed

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()

    def wait_for(self, calls: int, process: subprocess.Popen[bytes]) -> None:
        """Until so many calls were asked, or the process has ended."""
        while len(self.asked) < calls and process.poll() is None:
            time.sleep(0.005)


class Length:
    """A judge for whom the reply is enough."""

    name = "length"

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        return [Verdict("length", len(case.text) % 2 == 0, True, False) for case in cases]


def design() -> tuple[corpus.Corpus, list[chunk.Passage], list[factorial.Context]]:
    """The corpus, its passages, and the contexts of the first questions over BM25 and both bounds."""
    texts = corpus.load()
    part = texts.only([name for name in texts.articles if name.startswith("gdpr/")])
    passages = chunk.semantic(part)
    loaded = questions.load()
    items = [*questions.within(loaded, part.articles), *(item for item in loaded if not item.answerable)]
    todo = factorial.contexts(items[:QUESTIONS], ["distant", "plain"], [Bm25(passages)], passages, 2, ["closed book"])
    return texts, passages, list(todo)


def rows(url: str, answers: Path) -> list[tuple[Any, ...]]:
    """The table, without what differs between a live and a cached answer."""
    texts, passages, todo = design()
    client = Cached(OpenAICompatible("local", url, key="none"), answers, remake="run again")
    frame = factorial.judged(
        factorial.answer(todo, generate.ModelReader("local", client), texts), Length(), passages, "semchunk 200"
    )
    kept = frame[["question", "phrasing", "retriever", "text"]]
    return [tuple(row) for row in kept.itertuples(index=False)]


def expected_rows() -> list[tuple[Any, ...]]:
    """What the table must be, computed without any server."""
    texts, _, todo = design()
    found: list[tuple[Any, ...]] = []
    for each in todo:
        prompt = generate.prompt("passages" if each.passages else "closed-book")
        said = prompt.messages(each.text, generate.shown(each.passages, texts))[-1].content
        found.append((each.question.id, each.phrasing, each.retriever, f"It has {len(said)} signs."))
    return found


if __name__ == "__main__":
    os.environ["TQDM_DISABLE"] = "1"
    made = rows(sys.argv[1], Path(sys.argv[2]))
    Path(sys.argv[3]).write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
