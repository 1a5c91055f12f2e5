"""Who may play: one function for each agent of the benchmark, called when its run begins.

A function imports what its agent needs in its own body. So a recorded run depends on its own agent's code and on the
environment's, and not on that of every other agent (`runner.Job.key`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import JsonValue

from triptych.errors import ParameterError
from triptych.ft_dojo import tasks
from triptych.ft_dojo.agents.plan import Agent
from triptych.ft_dojo.environment.session import Session


@dataclass(frozen=True)
class Place:
    """Where an agent sits down: its seed, its session, its options, and what only an oracle may look at."""

    seed: int
    session: Session
    made: tasks.Task
    options: Mapping[str, JsonValue]


Maker = Callable[[Place], Agent]


def base(place: Place) -> Agent:
    """Submits the base model."""
    from triptych.ft_dojo.agents.baselines import Base

    return Base()


def default(place: Place) -> Agent:
    """One training on the raw rows."""
    from triptych.ft_dojo.agents.baselines import Default

    return Default(place.seed)


def human_recipe(place: Place) -> Agent:
    """A fixed recipe per domain."""
    from triptych.ft_dojo.agents.baselines import HumanRecipe

    return HumanRecipe(place.seed)


def random_search(place: Place) -> Agent:
    """Draws every part of a candidate by itself."""
    from triptych.ft_dojo.agents.baselines import RandomSearch

    return RandomSearch(place.seed)


def tpe(place: Place) -> Agent:
    """Optuna's TPE with median pruning."""
    from triptych.ft_dojo.agents.baselines import TPE

    return TPE(place.seed)


def hill_climbing(place: Place) -> Agent:
    """Keeps what scores higher."""
    from triptych.ft_dojo.agents.baselines import HillClimbing

    return HillClimbing(place.seed)


def general(place: Place) -> Agent:
    """The same actions and the same rules, none of the three components: no history, no early checks, argmax of val.

    What stands for a general tool-using agent where no language model can be asked.
    """
    from triptych.ft_dojo.agents.ft_agent import Components, FTAgent
    from triptych.ft_dojo.agents.rules import Strategist

    return FTAgent(Strategist(), Components(history=False, fail_fast=False, feedback=False), seed=place.seed)


def ft_agent(place: Place) -> Agent:
    """FT-Agent with the rule-based strategist."""
    from triptych.ft_dojo.agents.ft_agent import FTAgent
    from triptych.ft_dojo.agents.planner import Planner

    return FTAgent(Planner(place.session), seed=place.seed)


def oracle(place: Place) -> Agent:
    """Trains on the generator's own clean rows."""
    from triptych.ft_dojo.agents.baselines import Oracle

    return Oracle(place.made, place.seed)


def tool_agent(place: Place) -> Agent:
    """A language model that is shown the actions and says the next one; options as in `models.reached`."""
    from triptych.ft_dojo.agents.models import ToolAgent, reached

    client, price, recorded = reached(place.options)
    return ToolAgent(client, price, recorded)


def ft_agent_of_a_model(place: Place) -> Agent:
    """FT-Agent with a language model that proposes; options as in `models.reached`."""
    from triptych.ft_dojo.agents.ft_agent import FTAgent
    from triptych.ft_dojo.agents.models import ModelProposer, reached

    client, price, recorded = reached(place.options)
    return FTAgent(ModelProposer(client, place.session, price, recorded), seed=place.seed)


AGENTS: Mapping[str, Maker] = {
    "base": base,
    "default": default,
    "human recipe": human_recipe,
    "random search": random_search,
    "TPE": tpe,
    "hill climbing": hill_climbing,
    "general agent": general,
    "FT-Agent": ft_agent,
    "oracle": oracle,
}
WITH_A_MODEL: Mapping[str, Maker] = {"tool agent": tool_agent, "FT-Agent (model)": ft_agent_of_a_model}


def maker(name: str) -> Maker:
    """The function of an agent: of a name above, or of "module:function" for one that stands elsewhere.

    Raises ParameterError for a name that is neither.
    """
    if found := {**AGENTS, **WITH_A_MODEL}.get(name):
        return found
    module, _, function = name.partition(":")
    try:
        given: Any = getattr(importlib.import_module(module), function) if function else None
    except (ImportError, AttributeError):
        given = None
    if not callable(given):
        listed = ", ".join([*AGENTS, *WITH_A_MODEL])
        raise ParameterError(f"no agent is called {name!r}", f"agents: {listed}, or module:function")
    return cast(Maker, given)
