"""The set-up names what a machine lacks, installs it for root only, and does nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("sh", "dirname", "cat", "printf", "rm", "sed", "expand", "touch", "mkdir")


class Machine:
    """A machine of which only the PATH is made up: `put` adds a program to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in NEEDED:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)
        (folder / ".venv" / "bin").mkdir(parents=True)
        (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)

    def put(self, name: str, script: str) -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def user(self, number: int) -> None:
        self.put("id", f"echo {number}")

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(ROOT / "scripts" / script), *arguments],
            cwd=self.folder,
            env={"PATH": str(self.bin), **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_user_is_told_what_to_install(machine: Machine) -> None:
    machine.put("apt-get", "echo called > apt.log")
    machine.user(1000)
    done = machine.run("system-packages", "python")
    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends python3 python3-venv" in done.stderr
    assert not (machine.folder / "apt.log").exists()


def test_root_gets_it_installed(machine: Machine) -> None:
    machine.put("apt-get", 'echo "$@" >> apt.log')
    machine.user(0)
    done = machine.run("system-packages", "venv", "python3.12-venv")
    assert done.returncode == 0, done.stderr
    update, install = (machine.folder / "apt.log").read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith("install --no-install-recommends python3.12-venv")


def test_root_is_told_when_the_package_manager_fails(machine: Machine) -> None:
    machine.put("apt-get", 'case "$*" in *install*) exit 100 ;; esac')
    machine.user(0)
    done = machine.run("system-packages", "python")
    assert done.returncode == 1
    assert "apt-get could not install: python3 python3-venv" in done.stderr


def test_other_systems_are_told_names(machine: Machine) -> None:
    done = machine.run("system-packages", "python")
    assert done.returncode == 1
    assert "package manager (on Debian: python3 python3-venv)" in done.stderr


def test_the_tests_name_the_browser_and_the_compiler(machine: Machine) -> None:
    machine.put("apt-get", "exit 1")
    machine.user(1000)
    told = machine.run("system-packages", "tests").stderr
    assert " chromium " in told
    assert " gcc g++ " in told
    elsewhere = machine.run("system-packages", "tests", MAINSTEM_CHROMIUM="/somewhere/chrome").stderr
    assert " chromium " not in elsewhere


def test_an_old_python_will_not_do(machine: Machine) -> None:
    (machine.folder / ".venv" / "bin" / "python").unlink()
    machine.put("python3", "exit 1")
    machine.put("apt-get", "exit 0")
    machine.user(0)
    done = machine.run("make-venv", ".venv")
    assert done.returncode == 1
    assert "Mainstem needs Python 3.11 or newer" in done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up, going by its stamps."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock", "scripts"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    (tmp_path / ".make").mkdir()
    for name in ("emulator", "lint"):
        (tmp_path / "tests" / "cloud").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / "cloud" / f"{name}.txt", tmp_path / "tests" / "cloud")
    stamps = ("venv", "system", "packages", "dev", "emulator/ready", "lint/ready", "run")
    for age, stamp in enumerate(stamps):
        path = tmp_path / ".make" / stamp
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (4e9 + age, 4e9 + age))
    return tmp_path


def made(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def planned(checkout: Path, target: str) -> str:
    done = made(checkout, "--dry-run", target)
    # A stamp of the future, in this test only: make warns about the clock.
    assert done.returncode == 0, done.stderr
    return done.stdout


def newer(path: Path) -> None:
    os.utime(path, (4e9 + 100, 4e9 + 100))


@pytest.mark.parametrize("target", ["setup", "dev"])
def test_a_second_make_does_nothing(checkout: Path, target: str) -> None:
    assert "pip" not in planned(checkout, target)
    assert "make-venv" not in planned(checkout, target)


@pytest.mark.parametrize(
    ("changed", "target"),
    [("requirements.lock", "setup"), ("requirements-dev.lock", "dev"), ("pyproject.toml", "setup")],
)
def test_a_change_is_installed(checkout: Path, changed: str, target: str) -> None:
    newer(checkout / changed)
    plan = planned(checkout, target)
    assert "--require-hashes" in plan
    assert "--no-deps --no-build-isolation --editable ." in plan


def test_a_change_of_the_emulator_is_installed(checkout: Path) -> None:
    newer(checkout / "tests" / "cloud" / "emulator.txt")
    plan = planned(checkout, "dev")
    assert "--requirement tests/cloud/emulator.txt" in plan
    assert "--requirement tests/cloud/lint.txt" not in plan
    assert "tests/cloud" not in planned(checkout, "setup")


def test_an_install_that_fails_beside_others_fails_make(checkout: Path) -> None:
    """And leaves no stamp: the next make tries again."""
    ready = {name: checkout / ".make" / name / "ready" for name in ("emulator", "lint")}
    for stamp in ready.values():
        stamp.unlink()
    python = checkout / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *emulator.txt*) exit 1 ;; esac\n')
    python.chmod(0o755)
    done = made(checkout, "dev")
    assert done.returncode != 0
    assert ".make/emulator: not installed" in done.stderr
    assert ready["lint"].exists()
    assert not ready["emulator"].exists()


def test_a_lost_environment_is_made_again(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    plan = planned(checkout, "setup")
    assert "make-venv" in plan
    assert "--require-hashes" in plan


def test_no_compiler_is_no_obstacle(tmp_path: Path) -> None:
    """setup.py as it is, over a kernel of one line, with compilers that do not exist."""
    shutil.copy(ROOT / "setup.py", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "tiny.pyx").write_text("def one():\n    return 1\n")
    (tmp_path / "src" / "tinier.pyx").write_text("# distutils: language = c++\ndef one():\n    return 1\n")
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tmp_path,
        env={**os.environ, "CC": "no-such-cc", "CXX": "no-such-c++"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("failed") == 2
    assert not list(tmp_path.rglob("*.so"))
