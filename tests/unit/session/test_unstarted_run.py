"""A run that cannot be started leaves nothing behind: neither in memory nor beside the application."""

from __future__ import annotations

import errno
import os

import pytest

from ecotone.core.errors import UnavailableError
from ecotone.infrastructure.bus import _server
from ecotone.session import folders, prestart


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A folder in place of shared memory."""
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(folders, "_SHARED_MEMORY", str(folder))
    return folder


@pytest.fixture
def application(tmp_path):
    """An application that was profiled once."""
    folder = tmp_path / "hello"
    (folder / ".ecotone").mkdir(parents=True)
    (folder / ".ecotone" / "samples.json").write_text("{}")
    (folder / "app.py").write_text("")
    return folder


def test_without_a_bus_server(application, memory, monkeypatch):
    def refuse(directory):
        raise UnavailableError(f"cannot write to {directory}: No space left on device")

    monkeypatch.setattr(_server, "spawn_server", refuse)
    prestart.prestart(["run", str(application)])
    assert prestart.take(str(application)) is None
    assert list(memory.iterdir()) == []
    assert list((application / ".ecotone" / "runs").iterdir()) == []


def test_on_a_full_disk(application, memory, monkeypatch):
    make = os.makedirs

    def full(path, *arguments, **keywords):
        if str(path).endswith("/logs"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        make(path, *arguments, **keywords)

    monkeypatch.setattr(os, "makedirs", full)
    with pytest.raises(OSError, match="No space left"):
        folders.open_run(str(application / ".ecotone"))
    assert list(memory.iterdir()) == []
