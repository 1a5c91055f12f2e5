"""`python -m triptych`: list, params, run, keys, keep, exercises, report, doctor."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from triptych import keys, stages
from triptych.errors import InputMissing, LimitError, TriptychError, readable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. Errors a user can cause are printed without a traceback."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        return _COMMANDS[chosen.command](chosen)
    except TriptychError as error:
        if os.environ.get("TRIPTYCH_TRACEBACK"):
            raise
        print(f"triptych: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # somebody piped us into `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"triptych: {readable(error)}", file=sys.stderr)
        return LimitError.exit_code
    except KeyboardInterrupt:
        print("triptych: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m triptych", description="The workbench behind the Makefile.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *, stage: bool = False, profile: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        if stage:
            sub.add_argument("stage", help="study/notebook, for example bitsys/01_multiplier")
        if profile:
            sub.add_argument("--profile", default="quick", help=f"{', '.join(stages.PROFILES)} (default: quick)")
        return sub

    command("list", "every stage: question, minutes, figures")
    command("params", "the typed parameters of a stage", stage=True)
    run = command("run", "execute one stage and publish its outputs", stage=True, profile=True)
    run.add_argument("-p", metavar="NAME=VALUE", action="append", default=[], help="change a parameter (JSON value)")
    which = command("keys", "content keys, which stages are stale and why", profile=True)
    which.add_argument("--study", help=", ".join(stages.STUDIES))
    command("keep", "put the recorded results of the last full run into the checkout", stage=True)
    exercises = command("exercises", "put the exercises of the walkthroughs, unsolved, into build/exercises/")
    exercises.add_argument("--study", help=", ".join(stages.STUDIES))
    exercises.add_argument("--again", action="store_true", help="begin again; what is there is kept as .old.ipynb")
    report = command("report", "write build/report/index.html", profile=True)
    report.add_argument("--study", help=", ".join(stages.STUDIES))
    command("doctor", "what this machine has, what a missing piece costs, how to get it")
    return parser


def _list(_: argparse.Namespace) -> int:
    for spec in stages.load().values():
        print(f"{spec.name}  ({spec.minutes:g} min)\n    {spec.question}\n    {', '.join(spec.figures)}")
    return 0


def _params(chosen: argparse.Namespace) -> int:
    spec = stages.get(chosen.stage)
    for parameter in stages.parameters(spec).values():
        print(f"{parameter.name}: {parameter.type} = {parameter.default!r}\n    {parameter.meaning}")
        for profile in stages.PROFILES:
            if parameter.name in spec.profiles[profile]:
                print(f"    {profile}: {spec.profiles[profile][parameter.name]!r}")
    return 0


def _run(chosen: argparse.Namespace) -> int:
    from triptych import execute

    overrides = dict(stages.parse_override(text) for text in chosen.p)
    stages.check_profile(chosen.profile)
    target = execute.run(chosen.stage, chosen.profile, overrides)
    if overrides:
        print(f"published apart from the profile's own outputs: {json.loads(target.read_text())['stage']} → {target}")
    return 0


def _keys(chosen: argparse.Namespace) -> int:
    stages.check_profile(chosen.profile)
    for spec in stages.select(chosen.study):
        state = keys.why_stale(spec, chosen.profile) or "up to date"
        print(f"{keys.key(spec, chosen.profile)[:12]}  {spec.name}: {state}")
    return 0


def _keep(chosen: argparse.Namespace) -> int:
    from triptych import execute

    for path in execute.keep(chosen.stage):
        print(path)
    return 0


def _exercises(chosen: argparse.Namespace) -> int:
    from triptych import exercises

    known = {spec.name for spec in stages.select(chosen.study)}
    asked = [spec for spec in exercises.having() if spec.name in known]
    if not asked:
        raise InputMissing(f"no notebook of {chosen.study or 'this checkout'} has exercises", "leave out --study")
    states = {
        "written": "written",
        "current": "kept, with what you wrote into it",
        "older": "kept, but the notebook has changed since: --again makes a new one",
    }
    for made in [exercises.write(spec, again=chosen.again) for spec in asked]:
        print(f"{made.path}: {states[made.state]}")
    return 0


def _report(chosen: argparse.Namespace) -> int:
    from triptych import report

    print(report.write(stages.check_profile(chosen.profile), chosen.study))
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from triptych import doctor

    return doctor.show()


_COMMANDS = {
    "list": _list,
    "params": _params,
    "run": _run,
    "keys": _keys,
    "keep": _keep,
    "exercises": _exercises,
    "report": _report,
    "doctor": _doctor,
}

if __name__ == "__main__":
    sys.exit(main())
