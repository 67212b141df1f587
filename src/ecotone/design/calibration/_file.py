"""The calibration file: plain JSON, written by `ecotone performance calibrate`, named by a node type of a continuum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.calibration import CALIBRATION_VERSION, Calibration
from ecotone.core.errors import InputError
from ecotone.infrastructure.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["calibration_document", "calibration_from", "read_calibration", "write_calibration"]


def calibration_document(calibration: Calibration) -> dict[str, Any]:
    """The calibration as plain data, every field there."""
    document: dict[str, Any] = {
        "version": CALIBRATION_VERSION, "machine": "", "cores": 1, "taken_at": "", "took_s": 0.0, "rates": {},
        "scaling": [], "notes": [],
    }  # fmt: skip
    return document | msgspec.to_builtins(calibration)


def calibration_from(document: Any, source: str) -> Calibration:
    """From plain data.

    Raises:
        InputError: it is none; the message names `source` and what is wrong.
    """
    if isinstance(document, dict) and "schema_version" in document:  # what --json printed
        document = {key: value for key, value in document.items() if key not in {"schema_version", "reliable", "file"}}
    version = document.get("version", CALIBRATION_VERSION) if isinstance(document, dict) else CALIBRATION_VERSION
    if version != CALIBRATION_VERSION:
        raise InputError(f"{source}: version {version!r}, this Ecotone reads {CALIBRATION_VERSION}; calibrate again")
    try:
        found = msgspec.convert(document, Calibration)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{source}: not a calibration: {error}; make one with: ecotone performance calibrate"
        ) from None
    if not found.rates:
        raise InputError(f"{source}: there is no rate in it; make it again with: ecotone performance calibrate")
    return found


def read_calibration(path: Path) -> Calibration:
    """What `write_calibration` wrote.

    Raises:
        InputError: there is no such file, or it is no calibration.
    """
    try:
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: not a calibration: {error}; make one with: ecotone performance calibrate") from None
    return calibration_from(document, str(path))


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Replace `path` in one step. Raises OSError."""
    data = msgspec.json.encode(calibration_document(calibration))
    replace_file(path, msgspec.json.format(data, indent=1) + b"\n")
