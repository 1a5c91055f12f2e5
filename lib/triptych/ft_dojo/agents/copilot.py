"""Somebody beside the agent: a person at widgets, a person at a folder, and a simulated one of known accuracy.

Each is a `Human` of the session: it gets a yes-or-no question, answers, and its price is charged to the run.
"""

from __future__ import annotations

import html
import random
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from triptych.errors import DataError, LimitError, ParameterError
from triptych.ft_dojo import tasks, trajectory
from triptych.ft_dojo.agents import selection, workplace
from triptych.ft_dojo.agents.consult import Choice
from triptych.ft_dojo.agents.desk import Desk
from triptych.ft_dojo.agents.gates import Gate
from triptych.ft_dojo.agents.plan import Agent, Plan, Verdict
from triptych.ft_dojo.environment.checkpoints import WEIGHTS
from triptych.ft_dojo.environment.observations import ErrorObservation, Refusal
from triptych.ft_dojo.environment.session import BASE, Session
from triptych.ft_dojo.environment.training import Clock, TrainingWorker
from triptych.ft_dojo.tiny import Base

if TYPE_CHECKING:
    import ipywidgets

PATIENCE = 3600.0  # seconds that a person is waited for
FRESH = 800  # items by which somebody who knows the target judges a model: a standard error of 1.8 % at most
Knows = Literal["target", "select"]
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


class SimulatedHuman:
    """Answers rightly with probability `accuracy`, else wrongly; which of the two depends on seed and question alone.

    With an accuracy of one half its answers say nothing. Raises ParameterError for an accuracy outside [0, 1] or a
    price below 0.
    """

    def __init__(self, truth: Callable[[Gate], bool], accuracy: float, price: float = 0.0, seed: int = 0) -> None:
        if not 0 <= accuracy <= 1 or price < 0:
            raise ParameterError(f"accuracy {accuracy}, price {price}", "accuracy from 0 to 1, price from 0")
        self.truth, self.accuracy, self.price, self.seed = truth, accuracy, price, seed
        self.gates: dict[str, Gate] = {}  # what each question is about; `gates.Ask` tells
        self.right: dict[str, bool] = {}  # what would have been right, of each question that was asked

    def answer(self, question: str) -> bool:
        """Yes or no."""
        self.right[question] = self.truth(self.gates[question])
        return self.says(question, self.right[question])

    def says(self, question: str, right: bool) -> bool:
        """What it answers where `right` is right."""
        lucky = random.Random(f"{self.seed}/{question}").random() < self.accuracy
        return right if lucky else not right


class Truth:
    """Whether a plan, or a model, is really better than the present best, or than a rival.

    This is the simulated human's private knowledge, at no cost to the run; a plan is judged by training it. Whoever
    knows the *target* judges a model by `fresh` items, which ask about the same held-out facts as test in the same
    wordings; whoever knows *select* by that split, as the environment does at the end. Nobody has seen test itself, but
    where a task has few facts to hold out (`shared` is near 1), the fresh items are test's in other words.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        base: Base,
        worker: TrainingWorker,
        sizes: Mapping[str, int] | None = None,
        knows: Knows = "target",
    ) -> None:
        self.made, self.worker = tasks.make(name, seed, sizes), worker
        self.items = self.made.splits["select"] if knows == "select" else fresh(self.made, sizes)
        asked = {item.slots for item in self.made.splits["test"]}
        self.shared = sum(item.slots in asked for item in self.items) / len(self.items)
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="triptych-truth-")))
        task = workplace.write_task(self._folder, self.made, base, selection.PATIENT)
        self._desk = Desk(self._stack.enter_context(Session(task, self._folder / "run", worker)))
        self._known: dict[str, float] = {}
        self.run: Path | None = None  # of the run that is asked about

    def __enter__(self) -> Truth:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, gate: Gate) -> bool:
        """Whether yes is right. Raises DataError when no run was named."""
        new = self.of_plan(gate.plan) if gate.model is None else self.of_model(gate.model)
        return new > (self.of_plan(gate.rival) if isinstance(gate, Choice) else self.of_model(gate.best))

    def of_plan(self, plan: Plan) -> float:
        """Score on the known items after training it; −1 when its script or its training fails.

        Raises LimitError when the machine was too slow for it, which says nothing about the plan.
        """
        if plan.key not in self._known:
            self._known[plan.key] = self._trained(plan)
        return self._known[plan.key]

    def _trained(self, plan: Plan) -> float:
        data = self._desk.data(plan.script)
        code = data.code if isinstance(data, ErrorObservation) else ""
        if not isinstance(data, ErrorObservation):
            into = self._folder / "models" / plan.key
            try:
                self.worker.train(trajectory.read(self._desk.session.folder).data(data[0]), plan.spec, into, Clock())
                return self._score(into)
            except Refusal as refusal:
                code = refusal.code
        if code == "timeout":
            raise LimitError("a plan could not be judged in time", "run again when the machine has less to do")
        return -1.0

    def of_model(self, model: str) -> float:
        """Score of a model of the run on the known items. Raises DataError for a model that the run does not have."""
        if model not in self._known:
            if model != BASE and self.run is None:
                raise DataError("nobody knows which run is meant", "set `run` to the run's folder")
            folder = None if model == BASE or self.run is None else self.run / "models" / model
            if folder is not None and not (folder / WEIGHTS).exists():
                raise DataError(f"{model} is no model of this run", "set `run` to the run's folder")
            self._known[model] = self._score(folder)
        return self._known[model]

    def _score(self, folder: Path | None) -> float:
        prompts = [(item.prompt, [item.completion(option) for option in item.options]) for item in self.items]
        return self.made.measure.score(self.worker.answer(prompts, folder, Clock()), self.items)


def fresh(made: tasks.Task, sizes: Mapping[str, int] | None = None, count: int = FRESH) -> tuple[tasks.Item, ...]:
    """`count` questions with the wordings and keys of the task's test split, none of which it holds.

    A longer test split of the same seed begins with the same drafts; what it has beyond them is fresh. Where few facts
    are held out (mathematics, finance) these are test's facts with other names, and kinds of question that run out are
    rarer than in test. A seed that does not have as many gives half or a quarter; with less, ParameterError is raised.
    """
    test = {item.question for item in made.splits["test"]}
    try:
        longer = tasks.make(made.id, made.seed, {**(sizes or {}), "test": len(test) + count}, {})
    except ParameterError:
        if count <= FRESH // 4:
            raise
        return fresh(made, sizes, count // 2)
    return tuple(item for item in longer.splits["test"] if item.question not in test)


class FileHuman:
    """A person at a folder: reads `question-1.txt`, writes `answer-1.txt` with yes or no.

    A question that was asked before a crash keeps its number, and its answer if it has one. Raises LimitError, which
    the agent sees as an unanswered question, when nothing came in time.
    """

    def __init__(self, folder: Path, price: float = 0.0, patience: float = PATIENCE, poll: float = 0.2) -> None:
        self.folder, self.price, self.patience, self.poll = folder, price, patience, poll
        folder.mkdir(parents=True, exist_ok=True)

    def answer(self, question: str) -> bool:
        """Yes or no, once the file says so."""
        number = self._number(question)
        asked, answered = self.folder / f"question-{number}.txt", self.folder / f"answer-{number}.txt"
        asked.write_text(f"{question}\n\nWrite yes or no into {answered.name}.\n", "utf-8")
        deadline, said = time.monotonic() + self.patience, ""
        while time.monotonic() < deadline:
            said = answered.read_text("utf-8", "replace").strip().lower() if answered.exists() else ""
            if said in YES or said in NO:
                return said in YES
            time.sleep(self.poll)
        problem = f"{answered.name} says {said[:40]!r}" if said else f"no {answered.name}"
        raise LimitError(f"{problem} after {self.patience:g} s", "write yes or no into it")

    def _number(self, question: str) -> int:
        number = 1
        while (path := self.folder / f"question-{number}.txt").exists():
            if path.read_text("utf-8").startswith(f"{question}\n"):
                return number
            number += 1
        return number


class WidgetHuman:
    """A person at two buttons. The run has to be in another thread than the notebook's: see `CoPilot`."""

    def __init__(self, price: float = 0.0, patience: float = PATIENCE) -> None:
        import ipywidgets

        self.price, self.patience = price, patience
        self.text = ipywidgets.HTML("<i>nothing is asked yet</i>")
        self.yes = ipywidgets.Button(description="yes", button_style="success", disabled=True)
        self.no = ipywidgets.Button(description="no", button_style="danger", disabled=True)
        self.yes.on_click(lambda _: self._say(True))
        self.no.on_click(lambda _: self._say(False))
        self.widget: ipywidgets.Widget = ipywidgets.VBox([self.text, ipywidgets.HBox([self.yes, self.no])])
        self.log: list[tuple[str, bool]] = []
        self._said: bool | None = None
        self._heard = threading.Event()

    def answer(self, question: str) -> bool:
        """Yes or no, once a button is pressed. Raises LimitError when none is in time."""
        self._heard.clear()
        self._show(f"<b>{html.escape(question)}</b>", waiting=True)
        heard = self._heard.wait(self.patience)
        self._show(f"{html.escape(question)} → {'–' if not heard else 'yes' if self._said else 'no'}", waiting=False)
        if not heard or self._said is None:
            raise LimitError(f"no button was pressed for {self.patience:g} s", "start the run again")
        self.log.append((question, self._said))
        return self._said

    def _say(self, said: bool) -> None:
        if not self.yes.disabled:
            self._said = said
            self._heard.set()

    def _show(self, text: str, waiting: bool) -> None:
        self.text.value = text
        self.yes.disabled = self.no.disabled = not waiting


class CoPilot:
    """A run with a person at widgets: `start` begins it in a thread of its own, the notebook stays free to click."""

    def __init__(self, human: WidgetHuman, play: Callable[[], Verdict]) -> None:
        self.human, self._play = human, play
        self.verdict: Verdict | None = None
        self.problem: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def widget(self) -> ipywidgets.Widget:
        """What to display."""
        return self.human.widget

    def start(self) -> None:
        """Begin, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="co-pilot", daemon=True)
            self._thread.start()

    def wait(self, seconds: float | None = None) -> Verdict:
        """The verdict. Raises LimitError when it takes longer, and whatever ended the run."""
        if self._thread is not None:
            self._thread.join(seconds)
        if self.problem is not None:
            raise self.problem
        if self.verdict is None:
            raise LimitError("the run is not over", "answer its questions")
        return self.verdict

    def _run(self) -> None:
        try:
            self.verdict = self._play()
            self.human.text.value = f"<b>{html.escape(self.verdict.reason)}</b>: {self.verdict.reward * 100:.1f} points"
        except BaseException as error:
            self.problem = error
            self.human.text.value = html.escape(str(error))


def asking(make: Callable[[Session], Agent], truth: Truth) -> Callable[[Session], Any]:
    """An agent whose session the simulated human's truth looks at, so that it knows the models of the run."""

    def made(session: Session) -> Agent:
        truth.run = session.folder
        return make(session)

    return made
