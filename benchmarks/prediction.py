"""Claim: the measured p95 of the road camera's path is within 25 % of the predicted one (median over the cases).

    python benchmarks/prediction.py [--for 20s] CLIP...

Runs usecases/mobility on every continuum file beside it, with the clip in its package and with the clips given.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from _table import median, show

MOBILITY = Path(__file__).parents[1] / "usecases" / "mobility"


def run(continuum: Path, clip: str, duration: str) -> dict:
    command = ["ecotone", "run", str(MOBILITY), "--continuum", str(continuum), "--set", f"clip={clip}"]
    done = subprocess.run([*command, "--for", duration, "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", help="video files beside the packaged one")
    parser.add_argument("--for", dest="duration", default="20s")
    arguments = parser.parse_args()
    rows, errors = [], []
    for continuum in sorted(MOBILITY.glob("*.yaml")):
        for clip in ["bikes", *arguments.clips]:
            report = run(continuum, clip, arguments.duration)
            for path in report["paths"]:
                error = path["predicted_ms"] / path["measured_ms"] - 1
                if report["valid"]:
                    errors.append(abs(error))
                where = {each["component"]: each["node"] for each in report["plan"]["assignments"]}
                rows.append(
                    [
                        continuum.stem,
                        Path(clip).stem,
                        " ".join(f"{name}@{node}" for name, node in where.items()),
                        f"{path['predicted_ms']:.1f}",
                        f"{path['measured_ms']:.1f}",
                        f"{100 * error:+.0f} %",
                        "" if report["valid"] else "cores saturated: not counted",
                    ]
                )
    header = ["continuum", "clip", "plan", "predicted p95 ms", "measured p95 ms", "error", ""]
    show("Path p95, predicted against measured", header, rows)
    print(f"median absolute error: {100 * median(errors):.0f} % of {len(errors)} valid cases")


if __name__ == "__main__":
    main()
