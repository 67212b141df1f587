"""The report of a run: `report.html` for people, `report.json` for programs, `record.json` to make both again.

Called by the command line when a run has ended, and by `ecotone report --render`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.errors import InputError, NotFoundError
from ecotone.core.report import RunReport, report_document

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["full_document", "read_record", "write_report"]


def write_report(report: RunReport, folder: Path) -> Path:
    """Write `record.json`, `report.json` and `report.html` into the run's folder and return the page's path.

    Raises:
        OSError: the folder cannot be written.
    """
    from ecotone.frontends.report.page import page  # noqa: PLC0415 - `read_record` must not pay for it

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_bytes(msgspec.json.encode(report))
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(full_document(report)), indent=1))
    html = folder / "report.html"
    html.write_text(page(report, folder), encoding="utf-8")
    return html


def read_record(folder: Path) -> RunReport:
    """The run that `write_report` recorded in `folder`.

    Raises:
        NotFoundError: there is no record.
        InputError: the record is of another version of Ecotone.
    """
    try:
        data = (folder / "record.json").read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{folder}: there is no record.json: this run did not end with a report") from None
    try:
        return msgspec.json.decode(data, type=RunReport)
    except msgspec.MsgspecError as error:
        raise InputError(f"{folder / 'record.json'}: not a record of this version of Ecotone: {error}") from None


def full_document(report: RunReport) -> dict[str, Any]:
    """What `ecotone run --json` prints, and with it the distribution of each path, the timeline and the events."""
    document = report_document(report)
    for path, each in zip(document["paths"], report.paths, strict=True):
        path["quantiles_ms"] = [[fraction, _ms(seconds)] for fraction, seconds in each.quantiles_s]
    document["timeline"] = [
        {
            "time_s": round(point.time_s, 3),
            "rates_per_s": {name: round(rate, 3) for name, rate in point.rates_per_s.items()},
            "p95_ms": {name: _ms(seconds) for name, seconds in point.p95_s.items()},
            "paths_ms": [_ms(seconds) for seconds in point.paths_s],
        }
        for point in report.timeline
    ]
    document["events"] = [msgspec.to_builtins(each) for each in report.events]
    return document


def _ms(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s * 1e3, 4)
