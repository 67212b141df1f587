"""The working process; started by the benchmark, not by people."""

from __future__ import annotations

import sys

from ecotone.design.calibration._worker import main

if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
