"""What a host says of errors, whatever the errors are like."""

from __future__ import annotations

from ecotone.execution.host.log import words_of


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def test_an_error_is_said_in_a_few_words() -> None:
    assert words_of(KeyError("a")) == "KeyError: 'a'"
    assert len(words_of(RuntimeError("x" * 5_000_000))) < 2000


def test_an_error_that_cannot_be_said_is_named() -> None:
    assert words_of(_Mute()) == "_Mute: (its __str__ raises ValueError)"
