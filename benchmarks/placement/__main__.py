"""Measures the claims, or some of them: python -m benchmarks.placement [--quick] [--json FILE] [PART...]"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.placement import large, peers, promises, proofs, replan, truth
from benchmarks.placement._cases import note, warm_up
from benchmarks.placement._report import Report, print_report, write_json

PARTS = {
    "proofs": proofs.run,
    "large": large.run,
    "truth": truth.run,
    "promises": promises.run,
    "replan": replan.run,
    "peers": peers.run,
}
"""`proofs` has the anytime claim, too."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.placement", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument(
        "--quick", action="store_true", help="few and small cases: whether it runs, not what it promises"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results, too")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}")
    warm_up()
    reports: list[Report] = []
    for part in arguments.parts or PARTS:
        note(f"== {part}")
        for report in PARTS[part](quick=arguments.quick):
            print_report(report)
            reports.append(report)
            if arguments.json is not None:
                write_json(arguments.json, reports)


main()
