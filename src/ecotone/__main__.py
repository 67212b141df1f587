"""The command `ecotone` (and `python -m ecotone`).

`ecotone run` first starts what takes longest to come up (bus server, agent), in processes beside this one, and only
then imports the command line; that is why nothing is imported at the top.
"""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import sys

__all__ = ["main"]

_NO_PRESTART = frozenset({"--inline", "--dry-run", "--bus-url", "--help", "-h"})


def wants_prestart(argv: list[str]) -> bool:
    """Whether `argv` (without the program's name) will run an application on this machine's own bus and agent."""
    if len(argv) < 2 or argv[0] != "run":
        return False
    return not any(each.partition("=")[0] in _NO_PRESTART for each in argv)


def main() -> None:
    """Run the command line and exit with its status."""
    argv = sys.argv[1:]
    if not wants_prestart(argv):
        from ecotone.frontends.cli.main import run_command

        sys.exit(run_command(argv))
    from ecotone.session.prestart import prestart, take

    prestart(argv)
    try:
        from ecotone.frontends.cli.main import run_command

        status = run_command(argv)
    finally:
        take("")  # what was started and is not wanted, because the options were wrong for instance, is stopped
    sys.exit(status)


if __name__ == "__main__":
    main()
