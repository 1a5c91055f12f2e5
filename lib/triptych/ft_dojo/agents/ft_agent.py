"""FT-Agent: propose, validate fast, learn from structured feedback, as a llama-index workflow.

The idea is that of the paper (arXiv 2603.01712): a strategy proposed from the best run and short summaries of its
siblings, stages of validation that fail early, feedback that accepts or rejects with reasons. Each of the three can be
switched off alone, which leaves an agent that still works:

- without `history` the proposer is told of no earlier run;
- without `fail_fast` a plan goes straight to its full data run and full training;
- without `feedback` the higher val score wins, once, and no curve or cluster is told.

An approver (`gates`) may be asked before a plan is tried, before its full run and before it is accepted.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from llama_index.core.workflow import Context, Event, StartEvent, StopEvent, Workflow, step

from triptych.errors import LimitError, ModelError
from triptych.ft_dojo.agents import feedback
from triptych.ft_dojo.agents.desk import Desk
from triptych.ft_dojo.agents.gates import Approver, Gate, Kind
from triptych.ft_dojo.agents.plan import Look, Plan, Proposer, Scored, Situation, Tried, Verdict
from triptych.ft_dojo.environment.budget import Charge
from triptych.ft_dojo.environment.observations import ErrorObservation
from triptych.ft_dojo.environment.session import BASE, Session

MOST_REPAIRS = 10  # in one run, as in the paper
PLAN_ACTIONS = 8  # that trying a plan may take, and the submission after it
MOST_ALIKE = 3  # plans in a row that were tried before, or that failed, until the proposer is not asked again
MOST_REFUSED = 30  # plans that an approver may refuse in one run
WORSE = 2.0  # times its first loss that a rehearsal's last may be


@dataclass(frozen=True)
class Components:
    """Which of the three components are switched on."""

    history: bool = True
    fail_fast: bool = True
    feedback: bool = True

    def __str__(self) -> str:
        on = [name for name in ("history", "fail_fast", "feedback") if getattr(self, name)]
        return "+".join(on) or "none"


class Asked(Event):
    """The proposer is to be asked."""


class Proposed(Event):
    """A plan is to be validated."""

    plan: Plan


class Ran(Event):
    """A plan was trained and scored, or failed."""

    tried: Tried


class Over(Event):
    """The run is to end, and why."""

    reason: str


@dataclass
class _State:
    """What the agent remembers."""

    look: Look | None = None
    best: Tried | None = None
    tried: list[Tried] = field(default_factory=list[Tried])
    turn: int = 0
    repairs: int = 0
    alike: int = 0
    rehearsed: list[tuple[str, str, int, float]] = field(default_factory=list[tuple[str, str, int, float]])
    fails: int = 0  # plans in a row that failed
    gates: int = 0
    refused: int = 0


class FTAgent:
    """Plays a run with a proposer. `seed` decides the seeds of trainings and whatever the proposer draws."""

    def __init__(
        self,
        proposer: Proposer,
        components: Components | None = None,
        seed: int = 0,
        approver: Approver | None = None,
    ) -> None:
        self.proposer, self.seed, self.approver = proposer, seed, approver
        self.components = components or Components()

    @property
    def name(self) -> str:
        """`ft-agent`, with the components that are on when not all are."""
        return "ft-agent" if self.components == Components() else f"ft-agent[{self.components}]"

    def play(self, session: Session) -> Verdict:
        """Play until the proposer has no more, the budget is spent or the model is gone; then submit."""
        flow = _Flow(Desk(session), self, _State())
        found: list[Verdict] = []
        failed: list[BaseException] = []

        def run() -> None:  # a thread of its own: notebooks already run an event loop in theirs
            try:
                found.append(asyncio.run(_played(flow)))
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, name="ft-agent")
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return found[0]


async def _played(flow: _Flow) -> Verdict:
    return await flow.run()


class _Flow(Workflow):
    """look → (propose → validate → judge)* → submit."""

    def __init__(self, desk: Desk, agent: FTAgent, state: _State) -> None:
        super().__init__(timeout=None)
        self.desk, self.agent, self.state = desk, agent, state

    @step
    async def look(self, context: Context, event: StartEvent) -> Asked | Over:
        seen = self.desk.look()
        if isinstance(seen, ErrorObservation):
            return Over(reason=f"nothing can be seen: {seen.message}")
        self.state.look = seen
        return Asked()

    @step
    async def propose(self, context: Context, event: Asked) -> Proposed | Asked | Over:
        state, situation = self.state, self._situation()
        if self.desk.session.done or situation.left.actions < PLAN_ACTIONS:
            return Over(reason="no actions are left for another plan")
        if situation.left.evaluations < 1:
            return Over(reason="no evaluations are left")
        try:
            plan = self.agent.proposer.propose(situation)
        except (ModelError, LimitError) as error:
            return Over(reason=f"the proposer cannot go on: {error.message}")
        state.turn += 1
        if plan is None:
            return Over(reason="nothing that seems worth its price")
        if plan.key in {tried.plan.key for tried in state.tried}:
            state.alike += 1
            self.desk.note("repeated", f"{plan.hypothesis.factor} was tried before")
            if state.alike >= MOST_ALIKE:
                return Over(reason=f"the proposer repeated itself {state.alike} times")
            return Asked()
        state.alike = 0
        self.desk.note("hypothesis", str(plan.hypothesis))
        if self._approved("strategy", plan, f"{plan.hypothesis}; {_training(plan)}") is False:
            state.tried.append(self._refused(plan, "strategy"))
            if state.refused >= MOST_REFUSED:
                return Over(reason=f"{state.refused} plans were refused")
            return Asked()
        return Proposed(plan=plan)

    @step
    async def try_out(self, context: Context, event: Proposed) -> Ran:
        plan, error = event.plan, None
        while True:
            ran = self._try(plan)
            if isinstance(ran, Tried):
                return Ran(tried=ran)
            error = ran
            left = self.desk.left
            hopeless = left.evaluations < 1 or left.actions < PLAN_ACTIONS
            if hopeless or not self.agent.components.fail_fast or self.state.repairs >= MOST_REPAIRS:
                break
            self.state.repairs += 1
            repaired = self._repaired(plan, error)
            known = {plan.key, *(tried.plan.key for tried in self.state.tried)}
            if repaired is None or repaired.key in known:
                break
            self._remember_failure(plan, error)
            self.desk.note("repair", str(repaired.hypothesis))
            plan = repaired
        return Ran(tried=self._failure(plan, error))

    @step
    async def judge(self, context: Context, event: Ran) -> Asked | Over:
        tried, state = event.tried, self.state
        if tried.decision == "reject":  # refused before its full run
            state.tried.append(tried)
            return Over(reason=f"{state.refused} plans were refused") if state.refused >= MOST_REFUSED else Asked()
        if not tried.runs:
            state.tried.append(tried)
            self.desk.note("failed", f"{tried.error_code}: {tried.reason}")
            state.fails += 1
            if state.fails >= MOST_ALIKE:
                return Over(reason=f"the last plan failed: {tried.reason}")
            return Asked()
        state.fails = 0
        tried = self._decided(tried)
        state.tried.append(tried)
        if tried.decision == "accept":
            state.best = tried
        self.desk.note(tried.decision, f"{tried.plan.hypothesis.factor}: {tried.reason}")
        return Asked()

    @step
    async def end(self, context: Context, event: Over) -> StopEvent:
        models = self._candidates()
        agent = self.agent
        verdict = self.desk.finish(agent.name, agent.proposer.name, models, event.reason, len(self.state.tried))
        return StopEvent(result=verdict)

    # --- strategy -----------------------------------------------------------------------------------------------------

    def _situation(self) -> Situation:
        state = self.state
        assert state.look is not None
        history = self.agent.components.history
        return Situation(
            look=state.look,
            best=state.best if history else None,
            siblings=tuple(state.tried) if history else (),
            left=self.desk.left,
            turn=state.turn,
            seed=self.agent.seed,
        )

    def _repaired(self, plan: Plan, error: ErrorObservation) -> Plan | None:
        try:
            return self.agent.proposer.repair(self._situation(), plan, error)
        except (ModelError, LimitError) as problem:
            self.desk.note("failed", f"no repair: {problem.message}")
            return None

    # --- validation ---------------------------------------------------------------------------------------------------

    def _try(self, plan: Plan) -> Tried | ErrorObservation:
        """Every stage in order; the first error ends it. A script that passed is not run again."""
        desk = self.desk
        if self.agent.components.fail_fast:
            if (problem := self._static(plan)) is not None:
                return problem
            if (problem := desk.checked(plan.script)) is not None:
                return problem
        data = desk.data(plan.script)
        if isinstance(data, ErrorObservation):
            return data
        if self.agent.components.fail_fast and (problem := self._rehearsed(plan, data[0])) is not None:
            return problem
        left = f"{desk.left.nominal_cpu:.1f} nominal CPU-seconds are left"
        if self._approved("full run", plan, f"{_training(plan)} on {data[1]} rows; {left}") is False:
            return self._refused(plan, "full run")
        trained = desk.train(plan.spec, data[0])
        if isinstance(trained, ErrorObservation):
            return trained
        scored = desk.evaluate(trained[0], plan.spec.seed)
        if isinstance(scored, ErrorObservation):
            return scored
        structured = self.agent.components.feedback
        return Tried(
            number=len(self.state.tried) + 1,
            plan=plan,
            runs=(scored[0],),
            rows=data[1],
            nominal=desk.nominal[trained[0]],
            curve=feedback.curve(trained[1]) if structured else None,
            clusters=feedback.clusters(scored[1]) if structured else (),
        )

    def _rehearsed(self, plan: Plan, data: str) -> ErrorObservation | None:
        """Two steps on ten rows, unless the same data passed with the same method, batch and no smaller a rate."""
        spec, passed = plan.spec, self.state.rehearsed
        if any(
            (name, method, batch) == (data, spec.method, spec.batch) and rate >= spec.learning_rate
            for name, method, batch, rate in passed
        ):
            return None
        losses = self.desk.rehearse(spec, data)
        if isinstance(losses, ErrorObservation):
            return losses
        if losses[-1] > WORSE * losses[0]:
            return _problem("nan", f"the loss went from {losses[0]:g} to {losses[-1]:g} in one step")
        passed.append((data, spec.method, spec.batch, spec.learning_rate))
        return None

    def _static(self, plan: Plan) -> ErrorObservation | None:
        """What can be known without running anything: that the script is Python, and that the run has not seen the
        learning rate fail already."""
        try:
            compile(plan.script, "script", "exec")
        except (SyntaxError, ValueError) as error:
            return _problem("data", f"the script is not Python: {error}")
        rate = plan.spec.learning_rate
        failed = [tried.plan.spec.learning_rate for tried in self.state.tried if tried.error_code == "nan"]
        if failed and rate >= min(failed):
            return _problem("nan", f"a learning rate of {min(failed):g} failed before, and this one is {rate:g}")
        return None

    def _failure(self, plan: Plan, error: ErrorObservation) -> Tried:
        return Tried(number=len(self.state.tried) + 1, plan=plan, error=error, reason=error.message)

    def _remember_failure(self, plan: Plan, error: ErrorObservation) -> None:
        self.state.tried.append(self._failure(plan, error))

    # --- feedback -----------------------------------------------------------------------------------------------------

    def _decided(self, tried: Tried) -> Tried:
        base = self.desk.base
        old: Sequence[Scored] = self.state.best.runs if self.state.best else ([base] if base else [])
        if not self.agent.components.feedback:
            better = tried.mean > max((run.score for run in old), default=-1.0)
            reason = f"val {tried.mean:.2f} against {max((run.score for run in old), default=0.0):.2f}"
            if better and self._accepted(tried, reason, True) is False:
                better, reason = False, f"{reason}; refused"
            return tried.model_copy(update={"decision": "accept" if better else "reject", "reason": reason})
        while True:
            decision, reason = feedback.judge(tried.runs, old, can_repeat=self._can_repeat(tried))
            said = None if decision == "reject" else self._accepted(tried, reason, decision == "accept" or None)
            if said is not None:
                decision, reason = ("accept" if said else "reject"), f"{reason}; the approver said so"
            if decision != "repeat":
                return tried.model_copy(update={"decision": decision, "reason": reason})
            self.desk.note("repeat", reason)
            again = self.desk.tried(tried.plan.spec.but(seed=tried.plan.spec.seed + len(tried.runs)), tried.plan.script)
            if isinstance(again, ErrorObservation):
                return tried.model_copy(update={"decision": "reject", "reason": f"{reason}; {again.message}"})
            tried = tried.model_copy(update={"runs": (*tried.runs, again)})

    # --- gates --------------------------------------------------------------------------------------------------------

    def _approved(
        self, kind: Kind, plan: Plan, about: str, model: str | None = None, own: bool | None = True
    ) -> bool | None:
        """What the approver says; None without one."""
        self.state.gates += 1
        if self.agent.approver is None:
            return None
        best = self.state.best.runs[0].model if self.state.best else BASE
        tried = sum(bool(tried.runs) for tried in self.state.tried)
        gate = Gate(
            number=self.state.gates, kind=kind, about=about, plan=plan, best=best, tried=tried, model=model, own=own
        )
        return self.agent.approver.approve(gate)

    def _accepted(self, tried: Tried, reason: str, own: bool | None) -> bool | None:
        return self._approved("acceptance", tried.plan, f"val {reason}", tried.runs[0].model, own)

    def _refused(self, plan: Plan, gate: Kind) -> Tried:
        self.state.refused += 1
        self.desk.note("refused", f"{plan.hypothesis.factor}: at the gate before {gate}")
        reason = f"refused at the gate before {gate}"
        return Tried(number=len(self.state.tried) + 1, plan=plan, decision="reject", reason=reason)

    def _can_repeat(self, tried: Tried) -> bool:
        """Whether another seed can be paid for, with as much again left for something new."""
        left = self.desk.left
        price = 2 * tried.nominal
        return left.nominal_cpu >= price and left.evaluations >= 2 and left.actions >= PLAN_ACTIONS

    def _candidates(self) -> list[str]:
        """Models to submit, the best guess first: with feedback, the best plan's, then the next scores as rivals that
        the hidden select split may prefer; without, the one highest val score."""
        ranked = [scored.model for scored in self.desk.best()]
        if not self.agent.components.feedback:
            return ranked[:1] or [BASE]
        best = sorted(self.state.best.runs, key=lambda run: -run.score) if self.state.best else []
        return list(dict.fromkeys([*(run.model for run in best), *ranked])) or [BASE]


def _training(plan: Plan) -> str:
    spec = plan.spec
    length = f"{spec.steps} steps" if spec.steps else f"{spec.epochs:g} epochs"
    return f"{spec.method}, {length} of {spec.batch}, learning rate {spec.learning_rate:g}, seed {spec.seed}"


def _problem(code: str, message: str) -> ErrorObservation:
    """An error that the agent found itself, at no charge."""
    return ErrorObservation.model_validate(
        {"code": code, "message": message[:1000], "hint": "change the plan", "charged": Charge()}
    )
