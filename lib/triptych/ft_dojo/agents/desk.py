"""What every agent works with: actions sent to a session, results read from it, notes kept beside the journal."""

from __future__ import annotations

import json
from typing import Any

from triptych.ft_dojo.agents import scripts
from triptych.ft_dojo.agents.plan import Look, Scored, Verdict
from triptych.ft_dojo.environment.actions import AnyAction, Evaluate, Inspect, RunDataScript, Stop, Submit, Train
from triptych.ft_dojo.environment.budget import Spent
from triptych.ft_dojo.environment.observations import ErrorObservation, Outcome
from triptych.ft_dojo.environment.session import BASE, Session
from triptych.ft_dojo.trainer import TrainSpec
from triptych.ft_dojo.trajectory import NOTES

ALL = 100_000  # items of val: more than there are
RIVALS = 4  # beside the first, as many as a submission may name
LOOKED = 40  # public rows that are read before anything is planned


class Desk:
    """An agent's side of a session. Everything it knows came out of an outcome."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.base: Scored | None = None  # once it was scored
        self.scored: list[Scored] = []
        self.wasted = 0.0
        self.nominal: dict[str, float] = {}  # of each model's training
        self.last: Outcome | None = None
        self._made: dict[str, tuple[str, int]] = {}  # data set and rows of each script that was run
        self._checked: set[str] = set()
        (session.folder / NOTES).unlink(missing_ok=True)  # a resumed agent thinks the same again

    @property
    def left(self) -> Spent:
        """What may still be spent."""
        return self.session.ledger.left()

    @property
    def samples(self) -> int:
        """Rows that a data set may have; the instruction says so."""
        return self.session.task.card.limits.samples

    def note(self, kind: str, text: str) -> None:
        """Write down a thought before the next action."""
        row = {"before": len(self.session.ledger.rows) + 1, "kind": kind, "text": text}
        with (self.session.folder / NOTES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def act(self, action: AnyAction) -> Outcome:
        """Do one action."""
        self.last = self.session.step(action)
        return self.last

    def look(self) -> Look | ErrorObservation:
        """Read the instruction and some rows, score the base, and see what cleaning would change."""
        instruction = self.act(Inspect(path="instruction.md", rows=100))
        rows = self.act(Inspect(path="public/train.jsonl", rows=LOOKED))
        scored = self.act(Evaluate(model=BASE, n=ALL))
        for outcome in (instruction, rows, scored):
            if outcome.error:
                return outcome.error
        base, wrong = _read(scored)
        expected = [str(item["expected"]) for item in wrong]
        self.base = Scored(model=BASE, seed=0, score=base["score"], n=base["n"])
        script = scripts.profile(expected, self.samples)
        outcome = self.act(RunDataScript(code=script))
        if outcome.error:
            return outcome.error
        made, _ = _read(outcome)
        found: dict[str, Any] = json.loads(str(made["stdout"]))
        self._made[scripts.raw(self.samples)] = (str(made["data"]), int(made["rows"]))
        text, _ = _read(rows)
        return Look(
            instruction=str(_read(instruction)[0]["text"]),
            rows=str(text["text"]).splitlines(),
            total=int(found["rows"]),
            changed=found["changed"],
            expected=expected,
            base_score=self.base.score,
            n=self.base.n,
        )

    def checked(self, script: str) -> ErrorObservation | None:
        """A debug run of a script, unless it or its full run already went well."""
        if script in self._checked or script in self._made:
            return None
        outcome = self.act(RunDataScript(code=script, debug=True))
        if outcome.error is None:
            self._checked.add(script)
        return outcome.error

    def data(self, script: str) -> tuple[str, int] | ErrorObservation:
        """The data set and rows of a script; one that already ran is not run again."""
        if script not in self._made:
            outcome = self.act(RunDataScript(code=script))
            if outcome.error:
                return outcome.error
            made, _ = _read(outcome)
            self._made[script] = (str(made["data"]), int(made["rows"]))
        return self._made[script]

    def rehearse(self, spec: TrainSpec, data: str) -> list[float] | ErrorObservation:
        """Losses of a rehearsal at the full learning rate."""
        outcome = self.act(Train(spec=spec.but(warmup=0), data=data, micro=True))
        return outcome.error or [float(loss) for loss in _read(outcome)[0]["losses"]]

    def train(self, spec: TrainSpec, data: str) -> tuple[str, list[float]] | ErrorObservation:
        """A model and its recorded losses."""
        outcome = self.act(Train(spec=spec, data=data))
        if outcome.error:
            self.wasted += outcome.charged.nominal_cpu
            return outcome.error
        result, _ = _read(outcome)
        self.nominal[str(result["model"])] = outcome.charged.nominal_cpu
        return str(result["model"]), [float(loss) for loss in result["losses"]]

    def evaluate(self, model: str, seed: int) -> tuple[Scored, list[Any]] | ErrorObservation:
        """The score of a model on all of val, and the wrong items that are shown."""
        outcome = self.act(Evaluate(model=model, n=ALL))
        if outcome.error:
            return outcome.error
        result, wrong = _read(outcome)
        scored = Scored(model=model, seed=seed, score=float(result["score"]), n=int(result["n"]))
        self.scored.append(scored)
        return scored, wrong

    def tried(self, spec: TrainSpec, script: str) -> Scored | ErrorObservation:
        """Data, training and score in one go, without any check in between."""
        data = self.data(script)
        if isinstance(data, ErrorObservation):
            return data
        trained = self.train(spec, data[0])
        if isinstance(trained, ErrorObservation):
            return trained
        scored = self.evaluate(trained[0], spec.seed)
        return scored if isinstance(scored, ErrorObservation) else scored[0]

    def best(self) -> list[Scored]:
        """Every scored model once, the best val score first; of equals the earlier one."""
        once = {scored.model: scored for scored in self.scored}
        return sorted(once.values(), key=lambda scored: -scored.score)

    def finish(self, agent: str, proposer: str, models: list[str], reason: str, tried: int = 0) -> Verdict:
        """Submit the first model, the others as its rivals; the run ends with a verdict whatever happens."""
        if self.session.done:
            return self._verdict(agent, proposer, None, f"{reason}; the run was over", tried)
        names = list(dict.fromkeys(models)) or [BASE]
        self.note("verdict", reason)
        outcome = self.act(Submit(model=names[0], rivals=names[1 : 1 + RIVALS]))
        if outcome.error is None:
            return self._verdict(agent, proposer, outcome, reason, tried)
        failure = f"{reason}; the submission failed: {outcome.error.message}"
        if not self.session.done:
            self.act(Stop(reason=failure[:2000]))
        return self._verdict(agent, proposer, None, failure, tried)

    def _verdict(self, agent: str, proposer: str, outcome: Outcome | None, reason: str, tried: int) -> Verdict:
        return Verdict(
            agent=agent,
            proposer=proposer,
            ended="submitted" if outcome else "stopped",
            model=str(_read(outcome)[0]["model"]) if outcome else None,
            reward=outcome.reward if outcome else 0.0,
            reason=reason,
            tried=tried,
            wasted=round(self.wasted, 6),
        )


def _read(outcome: Outcome) -> tuple[dict[str, Any], list[Any]]:
    """A result, and the wrong items in it."""
    result: dict[str, Any] = dict(outcome.result or {})
    return result, list(result.get("wrong", []))
