"""`ecotone new`: the starter and the use cases to copy."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from ecotone.core.errors import InputError
from ecotone.design.profiling import Limits, profile
from ecotone.design.read import read_application
from ecotone.design.usecases import find_usecase, new_application, usecase_names


def test_the_starter_is_an_application_without_mistakes_that_can_be_measured(tmp_path: Path) -> None:
    folder = new_application(tmp_path / "hello")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "app.py"]
    read = read_application(folder)
    assert read.problems == ()
    application = read.require()
    assert application.name == "hello"
    assert [component.name for component in application.components] == ["sensor", "smooth", "alarm"]
    assert len(application.paths) == 1
    assert read.root is not None
    samples = profile(
        application,
        read.root,
        read.module,
        read.parameters,
        samples_path=tmp_path / "samples.json",
        limits=Limits(budget_s=0.5),
        budget_s=0.5,
    )
    assert {each.component for each in samples.variants} == {"sensor", "smooth", "alarm"}


def test_a_use_case_is_copied_without_what_runs_left_behind(tmp_path: Path) -> None:
    assert "mobility" in usecase_names()
    folder = new_application(tmp_path / "deep" / "road", "mobility")
    assert (folder / "app.py").read_bytes() == (find_usecase("mobility") / "app.py").read_bytes()
    assert (folder / "continuum.yaml").is_file()
    assert not (folder / ".ecotone").exists() and not (folder / "__pycache__").exists()
    assert read_application(folder).require().name == "road"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "app.py").write_text("precious")
    with pytest.raises(InputError, match="mine is there already"):
        new_application(tmp_path / "mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is there already"):
        new_application(tmp_path / "dangling")
    assert (tmp_path / "mine" / "app.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["he llo", "1st", "", ".", ".."])
def test_names_that_an_application_cannot_have(tmp_path: Path, name: str) -> None:
    before = list(tmp_path.iterdir())
    with pytest.raises(InputError):
        new_application(f"{tmp_path}/{name}")
    assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "hint"), [("mobilty", "did you mean mobility"), ("../mobility", "there is no use case")]
)
def test_an_unknown_use_case_is_told_with_what_there_is(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        new_application(tmp_path / "road", name)
    assert not (tmp_path / "road").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        new_application(tmp_path / "file" / "hello")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path, monkeypatch):
    def full(source, target, **_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(source))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError) as caught:
        new_application(tmp_path / "hello")
    assert str(caught.value) == f"{tmp_path}/hello cannot be written: No space left on device"
    assert list(tmp_path.iterdir()) == []
