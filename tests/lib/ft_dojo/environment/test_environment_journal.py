"""The chain: resumed byte for byte, torn lines mended, tampered or stale ones refused, one writer at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import BusyError, DataError
from triptych.ft_dojo.environment import journal
from triptych.ft_dojo.environment.journal import Journal

HEADER = {"task": "finance", "limits": {"samples": 2000}}


def _write(folder: Path, count: int = 4) -> bytes:
    opened = Journal(folder, HEADER)
    for number in range(count):
        opened.append({"kind": "train", "number": number, "text": "ä\n"})
        opened.measure({"step": number, "wall": number / 7})
    opened.close()
    return (folder / "journal.jsonl").read_bytes()


def test_the_hash_of_each_line_covers_all_before_it(tmp_path: Path) -> None:
    """Recomputed here from the documented formula, without the module's own reader."""
    import hashlib

    previous = "0" * 64
    for number, line in enumerate(_write(tmp_path).decode().splitlines()):
        row = json.loads(line)
        claimed = row.pop("hash")
        body = json.dumps(row, sort_keys=True, separators=(",", ":"))
        assert claimed == hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()
        assert row["sequence"] == number
        previous = claimed


def test_same_entries_same_bytes_and_measurements_stay_outside(tmp_path: Path) -> None:
    assert _write(tmp_path / "a") == _write(tmp_path / "b")
    assert b"wall" not in _write(tmp_path / "c")
    opened = Journal(tmp_path / "c", HEADER)
    assert [line["step"] for line in opened.measured()] == [0, 1, 2, 3]
    opened.close()


@settings(max_examples=40)
@given(st.data())
def test_a_crash_at_any_byte_of_the_last_line_loses_that_line_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    whole = _write(folder)
    (folder / "head.json").unlink()  # as it was before the last line was complete
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    (folder / "journal.jsonl").write_bytes(whole[: data.draw(st.integers(last, len(whole) - 1))])
    opened = Journal(folder, HEADER)
    assert len(opened.entries) == 3
    opened.append({"kind": "train", "number": 3, "text": "ä\n"})
    opened.close()
    assert (folder / "journal.jsonl").read_bytes() == whole


@settings(max_examples=60)
@given(st.data())
def test_no_byte_can_be_changed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("tampered")
    whole = bytearray(_write(folder))
    place = data.draw(st.integers(0, len(whole) - 2))  # the last line's end is a torn line, see above
    whole[place] ^= data.draw(st.integers(1, 127))
    (folder / "journal.jsonl").write_bytes(whole)
    with pytest.raises(DataError):
        Journal(folder, HEADER)
    assert (folder / "journal.jsonl").read_bytes() == bytes(whole), "evidence is kept"


@pytest.mark.parametrize("change", ["drop_last", "drop_middle", "swap", "forged"])
def test_lines_cannot_be_dropped_moved_or_forged(tmp_path: Path, change: str) -> None:
    lines = _write(tmp_path).splitlines(keepends=True)
    forged = json.loads(lines[3]) | {"number": 99}
    changed = {
        "drop_last": lines[:-1],
        "drop_middle": lines[:2] + lines[3:],
        "swap": [lines[0], lines[2], lines[1], *lines[3:]],
        "forged": [*lines[:3], json.dumps(forged, sort_keys=True, separators=(",", ":")).encode() + b"\n", lines[4]],
    }[change]
    (tmp_path / "journal.jsonl").write_bytes(b"".join(changed))
    with pytest.raises(DataError) as error:
        Journal(tmp_path, HEADER)
    assert error.value.hint


def test_a_journal_of_other_limits_is_stale(tmp_path: Path) -> None:
    before = _write(tmp_path)
    with pytest.raises(DataError, match="stale: it was begun with another limits"):
        Journal(tmp_path, {**HEADER, "limits": {"samples": 9999}})
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_a_change_while_it_is_open_is_noticed(tmp_path: Path) -> None:
    _write(tmp_path)
    opened = Journal(tmp_path, HEADER)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(DataError, match="changed while it was open"):
        opened.append({"kind": "stop"})
    opened.close()


def test_two_processes_cannot_write_one_journal(tmp_path: Path) -> None:
    opened = Journal(tmp_path, HEADER)
    code = "import sys\nfrom pathlib import Path\nfrom triptych.ft_dojo.environment.journal import Journal\nfrom triptych.errors import BusyError\ntry:\n    Journal(Path(sys.argv[1]), {})\nexcept BusyError:\n    print('busy')\n"  # noqa: E501
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(journal.__file__).parents[3])},
    )  # fmt: skip
    assert other.stdout == "busy\n", other.stderr
    with pytest.raises(BusyError):
        Journal(tmp_path, HEADER)
    opened.close()
    Journal(tmp_path, HEADER).close()
