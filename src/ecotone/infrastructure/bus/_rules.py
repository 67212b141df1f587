"""What both back-ends check alike: names, keys, payload sizes, and which subjects a pattern matches."""

from __future__ import annotations

import re

from ecotone.core.errors import InputError
from ecotone.infrastructure.bus.interface import MAX_PAYLOAD_BYTES

__all__ = ["check_key", "check_name", "check_pattern", "check_payload", "check_subject", "matches"]

_WORD = r"[^\s.*>]+"
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
_SUBJECT = re.compile(rf"{_WORD}(?:\.{_WORD})*\Z")
_PATTERN = re.compile(rf"(?:(?:\*|{_WORD})\.)*(?:\*|>|{_WORD})\Z")
_NAME_LENGTH_MAX = 96  # two of them, and the counters of an acknowledgement, stay below 255 characters


def check_name(name: str) -> str:
    """`name` itself, if it may name a stream, consumer or bucket; raises InputError."""
    if len(name) > _NAME_LENGTH_MAX or not _NAME.match(name):
        raise InputError(
            f"'{name}' cannot name a stream, consumer or bucket: use up to {_NAME_LENGTH_MAX} letters, digits, "
            "'-', '_' and single dots between them"
        )
    return name


def check_key(key: str) -> str:
    """`key` itself, if it may be a key; raises InputError."""
    if not _NAME.match(key):
        raise InputError(f"'{key}' cannot be a key: use letters, digits, '-', '_' and single dots between them")
    return key


def check_subject(subject: str) -> str:
    """`subject` itself, if one can publish on it; raises InputError."""
    if not _SUBJECT.match(subject):
        raise InputError(f"'{subject}' is not a subject: use words without spaces or wildcards, with dots between them")
    return subject


def check_pattern(pattern: str) -> str:
    """`pattern` itself, if one can subscribe to it or watch it; raises InputError."""
    if not _PATTERN.match(pattern):
        raise InputError(f"'{pattern}' is not a pattern of subjects: '*' stands for one word, a final '>' for the rest")
    return pattern


def check_payload(data: bytes) -> None:
    """Raises InputError when `data` is too large to travel on the bus."""
    if len(data) > MAX_PAYLOAD_BYTES:
        raise InputError(
            f"a payload of {len(data)} bytes is larger than the {MAX_PAYLOAD_BYTES} that the bus takes: "
            "let it travel by reference"
        )


def matches(pattern: str, subject: str) -> bool:
    """Whether `subject` is one that `pattern` asks for."""
    if pattern in {subject, ">"}:
        return True
    wanted, words = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted = wanted[:-1]
        if len(words) <= len(wanted):
            return False
        words = words[: len(wanted)]
    return len(wanted) == len(words) and all(a in {"*", b} for a, b in zip(wanted, words, strict=True))
