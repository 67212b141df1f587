"""The measuring process; started by profiling, not by people."""

from __future__ import annotations

import sys

from ecotone.design.profiling._worker import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
