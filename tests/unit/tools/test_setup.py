"""tools/setup.sh on machines that lack something: it says what, and what to do, and changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_NEEDED = ("sh", "dirname", "uname", "cat", "cksum", "ls", "mkdir", "id", "tail", "grep", "df", "awk", "rm", "flock")


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose name is awkward, and a PATH without any Python."""
    folder = tmp_path / "my été checkout"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "setup.sh").write_bytes((ROOT / "tools" / "setup.sh").read_bytes())
    (folder / "requirements.lock").write_text("")
    (folder / "pyproject.toml").write_text("")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in _NEEDED:
        found = shutil.which(name)
        if found:
            (programs / name).symlink_to(found)
    return folder


def set_up(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(checkout / "tools" / "setup.sh")],
        env={"PATH": str(checkout.parent / "bin")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def program(checkout: Path, name: str, text: str) -> Path:
    file = checkout.parent / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_no_python(checkout):
    done = set_up(checkout)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; there is no python3 here" in done.stderr
    assert "sudo apt-get install -y python3 python3-venv" in done.stderr


def test_old_python(checkout):
    program(checkout, "python3", 'case "$2" in *exit*) exit 1 ;; *) echo python3 is 3.9.2 ;; esac')
    done = set_up(checkout)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; python3 is 3.9.2 here" in done.stderr


def test_a_python_that_was_named_and_is_none(checkout):
    done = set_up(checkout, PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "PYTHON=/nowhere/python is not a Python 3.11 or newer" in done.stderr


def test_a_python_without_venv_names_the_line_that_installs_it(checkout):
    python = program(checkout, "python3", f'case "$2" in *ensurepip*) exit 1 ;; esac; exec "{sys.executable}" "$@"')
    done = set_up(checkout)
    assert done.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"The venv module of {python} is missing" in done.stderr
    assert f"apt-get install -y python{version}-venv" in done.stderr


def test_a_folder_with_other_things_is_not_emptied(checkout, tmp_path):
    thesis = tmp_path / "home" / "thesis"
    thesis.mkdir(parents=True)
    done = set_up(checkout, PYTHON=sys.executable, ECOTONE_VENV=str(thesis.parent))
    assert done.returncode == 1
    assert "it would be emptied" in done.stderr
    assert thesis.exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_checkout_that_cannot_be_written(checkout):
    checkout.chmod(0o555)
    done = set_up(checkout, PYTHON=sys.executable)
    assert done.returncode == 1
    assert "Name another place with ECOTONE_VENV=FOLDER" in done.stderr
