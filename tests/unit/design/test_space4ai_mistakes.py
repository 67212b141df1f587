"""Wrong system descriptions: every mistake of the corpus is found at its place, nothing else, and no file is fatal."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from ecotone.core.errors import InputError
from ecotone.design.space4ai import read_space4ai

CORPUS = Path(__file__).parents[2] / "corpus" / "space4ai"
DOCUMENTATION = CORPUS.parents[2] / "docs" / "reference" / "space4ai.md"


def expected() -> dict[str, list[str]]:
    """By file: `line:column code` of each mistake."""
    found: dict[str, list[str]] = defaultdict(list)
    name = ""
    for line in (CORPUS / "expected.txt").read_text().splitlines():
        if line.startswith(" "):
            found[name].append(line.strip())
        elif not line.startswith("#"):
            name = line
    return found


EXPECTED = expected()
FILES = sorted(CORPUS.glob("*.json"))


def mistakes(file: Path) -> list[str]:
    try:
        read_space4ai(file)
    except InputError as error:
        assert all(each.place.file == str(file) for each in error.problems)
        return [f"{each.place.line}:{each.place.column} {each.code}" for each in error.problems]
    return []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_has_just_the_mistakes_that_are_noted(file: Path) -> None:
    assert mistakes(file) == EXPECTED.get(file.name, [])


def test_the_corpus_is_whole() -> None:
    assert set(EXPECTED) <= {file.name for file in FILES}
    assert len(EXPECTED) >= 40
    assert sum(len(each) for each in EXPECTED.values()) >= 80


def test_every_code_is_documented() -> None:
    codes = {line.split()[1] for lines in EXPECTED.values() for line in lines} | {"not-readable"}
    text = DOCUMENTATION.read_text()
    assert sorted(code for code in codes if f"`{code}`" not in text) == []


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    for file, why in ((tmp_path / "none.json", "No such file"), (tmp_path, "directory")):
        with pytest.raises(InputError) as caught:
            read_space4ai(file)
        (problem,) = caught.value.problems
        assert problem.code == "not-readable"
        assert why in problem.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_without_permission_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "closed.json"
    file.write_text("{}")
    file.chmod(0)
    with pytest.raises(InputError) as caught:
        read_space4ai(file)
    assert "Permission denied" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "syntax-error"),
        (" \n", "syntax-error"),
        ("null", "wrong-type"),
        ("true", "wrong-type"),
        ('"Components"', "wrong-type"),
        ("[" * 100_000, "syntax-error"),
        ('{"Components":' * 100_000, "syntax-error"),
        ('{"Components": ' + "[" * 900 + "]" * 900 + "}", "wrong-type"),
        ('{"Lambda": ' + "9" * 5000 + "}", "out-of-range"),
        ('{"Lambda": -' + "9" * 5000 + "}", "out-of-range"),
    ],
)  # fmt: skip
def test_nothing_is_fatal(text: str, code: str, tmp_path: Path) -> None:
    file = tmp_path / "system.json"
    file.write_text(text)
    assert code in {each.partition(" ")[2] for each in mistakes(file)}


def test_a_mark_of_byte_order_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "system.json"
    file.write_bytes(b"\xef\xbb\xbf" + (CORPUS / "right.json").read_bytes())
    assert mistakes(file) == []


def test_what_a_file_holds_does_not_steer_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "system.json"
    file.write_text((CORPUS / "right.json").read_text().replace('"VM2"', '"V\\u009b2J\\u202e"', 1))
    with pytest.raises(InputError) as caught:
        read_space4ai(file)
    assert all(each.message.isprintable() and each.hint.isprintable() for each in caught.value.problems)
