"""Recorded results: computed in full, kept in the checkout, replayed in quick and marked so, old ones told."""

from __future__ import annotations

import json

import pytest

from miniature import notebook

pytestmark = pytest.mark.slow

CELLS = [
    ("parameters", "n: int = 3  # rows"),
    (
        "code",
        "# Everything\nimport pandas as pd\nimport matplotlib.pyplot as plt\nfrom triptych.notebook import Stage\n"
        "from triptych.ft_dojo.slow import slow\nstage = Stage('ft_dojo/03_third')\n"
        "made = stage.recorded('rows.json', lambda: {'rows': slow(n)})\n"
        "figure, axes = plt.subplots()\naxes.plot(made['rows'])\n"
        "stage.figure(figure, 'fig-rows', caption='Rows.', table=pd.DataFrame(made))\nstage.result('alone.json', made)",
    ),
]


@pytest.fixture
def recording(checkout):
    checkout.write("lib/triptych/ft_dojo/slow.py", "def slow(n):\n    return list(range(n))\n")
    checkout.write("notebooks/ft_dojo/03_third.ipynb", notebook(CELLS))
    text = (checkout.root / "notebooks/stages.toml").read_text()
    head, tail = text.split('["ft_dojo/03_third"]')
    tail = tail.replace("figures = []", 'figures = ["fig-rows"]\nrecorded = ["rows.json"]').replace(
        "full = {}", "full = { n = 9 }"
    )
    checkout.write("notebooks/stages.toml", f'{head}["ft_dojo/03_third"]{tail}')
    return checkout


def run(checkout, profile):
    return checkout.triptych("run", "ft_dojo/03_third", "--profile", profile)


def caption(checkout, profile):
    return (checkout.root / f"build/figures/{profile}/fig-rows.md").read_text()


def test_a_recorded_result_from_full_to_quick_and_back(recording):
    done = run(recording, "quick")
    assert done.returncode == 3
    assert "nothing is recorded for rows.json" in done.stderr

    done = recording.triptych("keep", "ft_dojo/03_third")
    assert done.returncode == 4
    assert run(recording, "full").returncode == 0
    assert recording.triptych("keep", "ft_dojo/03_third").returncode == 0
    about = json.loads((recording.root / "notebooks/ft_dojo/recorded/03_third/rows.json.record.json").read_text())
    assert about["parameters"] == {"n": 9}
    assert "python -m triptych keep" in about["command"]

    assert run(recording, "quick").returncode == 0
    made = json.loads((recording.root / "build/results/quick/ft_dojo/03_third/alone.json").read_text())
    assert made == {"rows": list(range(9))}
    assert "recorded: rows.json replayed from a full run" in caption(recording, "quick")
    assert "older than the code" not in caption(recording, "quick")
    assert stale(recording, "quick") is False
    assert stale(recording, "full") is False  # keeping what it made does not age it

    # replayed in full as well while it is current, and then there is nothing new to keep
    assert run(recording, "full").returncode == 0
    assert "recorded: rows.json replayed" in caption(recording, "full")
    assert recording.triptych("keep", "ft_dojo/03_third").returncode == 4

    # what computes it changes: quick replays it and says so, full recomputes it; kept, quick believes it again
    recording.write("lib/triptych/ft_dojo/slow.py", "def slow(n):\n    return [row for row in range(n)]\n")
    assert stale(recording, "quick")
    assert run(recording, "quick").returncode == 0
    assert "older than the code" in caption(recording, "quick")
    assert run(recording, "full").returncode == 0
    assert "replayed" not in caption(recording, "full")
    assert recording.triptych("keep", "ft_dojo/03_third").returncode == 0  # the same bytes, a new record
    assert stale(recording, "quick")
    assert run(recording, "quick").returncode == 0
    assert "older than the code" not in caption(recording, "quick")

    # so does a parameter of full
    text = (recording.root / "notebooks/stages.toml").read_text()
    recording.write("notebooks/stages.toml", text.replace("n = 9", "n = 8"))
    assert stale(recording, "quick")

    # a file changed by hand, or a record that cannot be read, is refused by name
    committed = recording.root / "notebooks/ft_dojo/recorded/03_third/rows.json"
    before = committed.read_bytes()
    committed.write_bytes(before + b" ")
    done = run(recording, "quick")
    assert done.returncode == 3
    assert "rows.json is not the file that rows.json.record.json describes" in done.stderr
    committed.write_bytes(before)
    committed.with_name("rows.json.record.json").write_text("{")
    done = run(recording, "quick")
    assert done.returncode == 3
    assert "has no readable record" in done.stderr


def stale(checkout, profile) -> bool:
    return "ft_dojo/03_third" in checkout.would_run("STUDY=ft_dojo", f"PROFILE={profile}")


def test_a_record_that_another_command_made_says_which(recording):
    assert run(recording, "full").returncode == 0
    assert recording.triptych("keep", "ft_dojo/03_third").returncode == 0
    record = recording.root / "notebooks/ft_dojo/recorded/03_third/rows.json.record.json"
    about = json.loads(record.read_text())
    record.write_text(json.dumps({**about, "command": "python -m some.module --keep"}))
    assert run(recording, "quick").returncode == 0
    assert "recorded: rows.json replayed from `python -m some.module --keep`" in caption(recording, "quick")


def test_other_parameters_are_computed_in_full_and_told_in_quick(recording):
    assert run(recording, "full").returncode == 0
    assert recording.triptych("keep", "ft_dojo/03_third").returncode == 0

    done = recording.triptych("run", "ft_dojo/03_third", "--profile", "full", "-p", "n=4")
    assert done.returncode == 0, done.stderr
    (made,) = recording.root.glob("build/results/full-*/ft_dojo/03_third/alone.json")
    assert json.loads(made.read_text()) == {"rows": [0, 1, 2, 3]}

    assert recording.triptych("run", "ft_dojo/03_third", "--profile", "quick", "-p", "n=4").returncode == 0
    (told,) = recording.root.glob("build/figures/quick-*/fig-rows.md")
    assert "made with another n" in told.read_text()

    # the recorded value itself, set by hand, changes nothing
    assert recording.triptych("run", "ft_dojo/03_third", "--profile", "full", "-p", "n=9").returncode == 0
    found = [path.read_text() for path in recording.root.glob("build/figures/full-*/fig-rows.md")]
    assert sum("rows.json replayed" in text for text in found) == 1


def test_smoke_computes_and_says_that_it_is_small(recording):
    assert run(recording, "smoke").returncode == 0
    assert "smaller: smoke profile" in caption(recording, "smoke")
    made = json.loads((recording.root / "build/results/smoke/ft_dojo/03_third/alone.json").read_text())
    assert made == {"rows": [0, 1, 2]}
