"""The tree of commands. Each is loaded from its module only when it is called, so that `--help` is quick."""

from __future__ import annotations

from cyclopts import App, Group, Parameter

from ecotone._version import __version__

__all__ = ["COMMANDS", "command_tree"]

_HERE = "ecotone.frontends.cli"
_DESIGN, _RUN, _OTHER = "Design", "Run and look", "Ecotone"
COMMANDS: tuple[tuple[str, str, str, str], ...] = (
    ("new", f"{_HERE}.designing:new", _DESIGN, "Write a new application that runs."),
    ("check", f"{_HERE}.designing:check", _DESIGN, "Find every mistake of an application and its continuum."),
    ("profile", f"{_HERE}.designing:profile", _DESIGN, "Measure each component on real inputs."),
    (
        "performance",
        f"{_HERE}.performance:performance",
        _DESIGN,
        "Calibrate machines, and fit and ask performance models.",
    ),
    ("plan", f"{_HERE}.planning:plan", _DESIGN, "Find the cheapest placement that keeps every promise."),
    ("explain", f"{_HERE}.planning:explain", _DESIGN, "Say why each component is where it is, and what else it costs."),
    ("run", f"{_HERE}.running:run", _RUN, "Profile and plan if needed, then run it and report."),
    ("report", f"{_HERE}.looking:report", _RUN, "Say where the report of a run is, or write it again."),
    ("logs", f"{_HERE}.looking:logs", _RUN, "Show what components printed and raised."),
    ("cell", f"{_HERE}.cells:cell", _RUN, "Build and run programs, MPI ones too, as sandboxed cells."),
    ("version", f"{_HERE}.looking:version", _OTHER, "Print the version."),
)


def command_tree(*, listing: bool = False) -> App:
    """What parses a command line and calls the command, which returns its exit status.

    Args:
        listing: the help of all commands is wanted: their first lines stand here, so that no module is loaded for it.
    """
    app = App(
        name="ecotone",
        help="Design, run and keep improving AI applications that span devices, edge servers and clouds.",
        version=__version__,
        version_flags=("--version",),
        help_format="markdown",
        help_epilogue="Start with `ecotone new demo --from mobility`, then `ecotone run demo`." if listing else None,
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(show_default=False, negative=()),
    )
    groups = {name: Group(name, sort_key=at) for at, name in enumerate((_DESIGN, _RUN, _OTHER), 1)}
    app["--help"].group = groups[_OTHER]
    app["--version"].group = groups[_OTHER]
    for at, (name, target, group, about) in enumerate(COMMANDS):
        app.command(target, name=name, help=about if listing else None, group=groups[group], sort_key=at)
    return app
