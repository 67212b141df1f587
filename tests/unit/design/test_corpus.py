"""Every mistake of the wrong corpus is found at its line and nothing else; the right corpus has none.

A wrong file marks its mistakes with `# ! code code` at the end of the line.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ecotone.core.problems import Place, Problem
from ecotone.design import application_of, check, read_application, read_continuum

CORPUS = Path(__file__).parents[2] / "corpus"
USECASES = CORPUS.parents[1] / "usecases"
WRONG = sorted(path for path in (CORPUS / "wrong").iterdir() if path.suffix in (".py", ".yaml"))
RIGHT = sorted(path for path in (CORPUS / "right").iterdir() if path.suffix == ".py" or (path / "app.py").exists())
USED = sorted(path.parent for path in USECASES.glob("*/app.py"))
MARK = re.compile(r"# ! (.+)$")


def marked(path: Path) -> Counter[tuple[int, str]]:
    expected: Counter[tuple[int, str]] = Counter()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := MARK.search(line):
            expected.update((number, code) for code in found[1].split())
    return expected


@pytest.fixture
def whole(tmp_path: Path) -> Callable[[Path], Path]:
    """An application with the cells that it names, which are built and belong to no repository."""

    def complete(path: Path) -> Path:
        cells = re.findall(r'cell="([^"]+)"', (path / "app.py").read_text()) if path.is_dir() else []
        if not cells:
            return path
        copy = Path(shutil.copytree(path, tmp_path / path.name))
        for each in cells:
            (copy / each).touch()
        return copy

    return complete


def continuum_of(app: Path) -> Path | None:
    own = app / "continuum.yaml" if app.is_dir() else app.with_suffix(".yaml")
    return own if own.exists() else None


def test_the_corpus_is_large_enough() -> None:
    assert len(WRONG) >= 60
    assert len(RIGHT) >= 12
    assert sum(marked(path).total() for path in WRONG) >= 250


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.name)
def test_wrong_files_have_just_the_marked_mistakes(path: Path) -> None:
    problems = check(path).problems if path.suffix == ".py" else read_continuum(path).problems
    found = Counter((each.place.line, each.code) for each in problems)
    assert found == marked(path), "\n".join(map(str, problems))
    assert all(each.place.file == str(path) and each.place.column >= 1 for each in problems)
    assert problems == tuple(sorted(problems))


@pytest.mark.parametrize("path", [*RIGHT, *USED], ids=lambda path: path.name)
def test_right_applications_have_no_mistake(path: Path, whole: Callable[[Path], Path]) -> None:
    path = whole(path)
    result = check(path, continuum_of(path))
    assert result.problems == ()
    assert result.require() == (result.application, result.continuum)


@pytest.mark.parametrize("path", [*RIGHT, *USED], ids=lambda path: path.name)
def test_decorators_and_reader_build_equal_applications(
    path: Path, monkeypatch: pytest.MonkeyPatch, whole: Callable[[Path], Path]
) -> None:
    path = whole(path)
    read = read_application(path)
    assert read.root is not None
    assert read.file is not None
    monkeypatch.syspath_prepend(str(read.root))
    name = f"corpus_{path.stem}"
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location(name, read.file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    finally:
        own = [each for each in set(sys.modules) - before if _is_below(sys.modules[each], read.root)]
        for each in own:  # another application may have modules of the same names
            sys.modules.pop(each, None)
    assert application_of(module) == read.require()


def _is_below(module: object, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(root)


def test_every_code_of_the_corpus_is_documented() -> None:
    reference = CORPUS.parents[1] / "docs" / "reference"
    text = (reference / "annotations.md").read_text() + (reference / "continuum.md").read_text()
    codes = {code for path in WRONG for _, code in marked(path)}
    assert sorted(code for code in codes if f"`{code}`" not in text) == []


def test_a_problem_reads_as_a_sentence_with_its_place() -> None:
    problem = Problem(place=Place("app.py", 3, 7), code="wrong-unit", message="latency: no", hint="write it")
    assert str(problem) == "app.py:3:7: latency: no (write it) [wrong-unit]"
