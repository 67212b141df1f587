"""Files that are replaced in one step, and what is no file."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from ecotone.infrastructure.files import replace_file


def test_makes_its_folder_and_leaves_nothing_beside_the_file(tmp_path):
    file = tmp_path / "a" / "b.json"
    replace_file(file, b"one")
    replace_file(file, b"two")
    assert file.read_bytes() == b"two"
    assert [each.name for each in file.parent.iterdir()] == ["b.json"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    replace_file(pipe, b"through")
    reader.join(timeout=10)
    assert read == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_standard_output_of_somebody_is_written_to(tmp_path):
    reading, writing = os.pipe()
    link = tmp_path / "out"
    link.symlink_to(f"/proc/self/fd/{writing}")  # as /dev/stdout is
    replace_file(link, b"through")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"through"
    assert link.is_symlink()


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("there")
    replace_file(link, b"one")
    assert link.is_symlink()
    assert (tmp_path / "there").read_bytes() == b"one"


def test_a_full_device_is_an_error(tmp_path):
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        replace_file(link, b"x")
    assert link.is_char_device()


def test_a_folder_is_an_error(tmp_path):
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path, b"x")
