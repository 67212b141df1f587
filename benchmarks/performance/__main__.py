"""Measures the claims, or some of them: python -m benchmarks.performance [--quick] [PART...]"""

from __future__ import annotations

import argparse
import importlib

PARTS = ("inside", "beyond", "few_runs", "own_truth")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument("--quick", action="store_true", help="few cases: whether it runs, not what it promises")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}")
    for part in arguments.parts or PARTS:
        importlib.import_module(f"benchmarks.performance.{part}").run(quick=arguments.quick)


main()
