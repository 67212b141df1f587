"""Names, keys and patterns that the bus takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.errors import InputError
from ecotone.infrastructure.bus import MAX_PAYLOAD_BYTES
from ecotone.infrastructure.bus._rules import (
    check_key,
    check_name,
    check_pattern,
    check_payload,
    check_subject,
    matches,
)


@pytest.mark.parametrize("name", ["a", "edge-1", "detect_faces", "camera.dead", "7", "x" * 96])
def test_good_names(name: str) -> None:
    assert check_name(name) == name
    assert check_key(name) == name


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a b", "a*", ">", "a/b", "ä", "a\n", "x" * 97])
def test_bad_names(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


@pytest.mark.parametrize("subject", ["", "a b", "a.*", "a.>", "a..b", ".a", "a\r\nPUB b 0"])
def test_bad_subjects(subject: str) -> None:
    with pytest.raises(InputError):
        check_subject(subject)


@pytest.mark.parametrize("pattern", ["a", "a.b", "*", ">", "a.*", "*.b", "a.*.>", "_INBOX.x-1.*"])
def test_good_patterns(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["", "a.>.b", "a.b*", "a..b", "a >"])
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(InputError):
        check_pattern(pattern)


def test_the_payload_limit_is_exact() -> None:
    check_payload(bytes(MAX_PAYLOAD_BYTES))
    with pytest.raises(InputError, match="by reference"):
        check_payload(bytes(MAX_PAYLOAD_BYTES + 1))


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("*.*", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a.b.c", True),
        ("*.b.>", "a.b.c", True),
        ("*.b.>", "a.c.c", False),
    ],
)
def test_matches(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected


WORDS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)


@given(words=WORDS, stars=st.sets(st.integers(0, 3)), cut=st.integers(0, 4))
def test_a_subject_matches_what_is_made_from_it(words: list[str], stars: set[int], cut: int) -> None:
    subject = ".".join(words)
    starred = ["*" if place in stars else word for place, word in enumerate(words)]
    assert matches(".".join(starred), subject)
    if cut < len(words):
        assert matches(".".join([*starred[:cut], ">"]), subject)
    assert not matches(".".join([*starred, "*"]), subject)
    assert not matches(".".join([*starred, ">"]), subject)
