"""`Session`: one application on one continuum, from its check to the report of its run.

Called by the command line and by notebooks. Each step does what is needed of the steps before it and keeps the result
beside the application (`.ecotone/`), under a key made of what it was made from; so a second run starts at once.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.errors import InputError, UnavailableError
from ecotone.core.plan import Confidence, Plan, decode_plan, encode_plan, plan_differences
from ecotone.design import CheckResult, check
from ecotone.infrastructure.files import replace_file
from ecotone.orchestration.performance.observed import read_observed
from ecotone.orchestration.performance.samples import read_samples, write_samples
from ecotone.session.folders import newest_run, open_run, remove_stale_shared, state_folder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ecotone.core.application import Application, Value
    from ecotone.core.continuum import Continuum
    from ecotone.core.messages import Deployment
    from ecotone.core.report import RunReport
    from ecotone.design.profiling import Explored, Progress
    from ecotone.orchestration.control.elastic import Judge
    from ecotone.orchestration.performance.samples import Samples
    from ecotone.orchestration.placement import Explanation, Frontier, Given, Goal, LargestLoad
    from ecotone.orchestration.placement.tradeoffs import Second
    from ecotone.session.folders import RunFolders

__all__ = ["Session"]

DEFAULT_PROFILE_BUDGET_S = 40.0
DEFAULT_EXPLORATION_BUDGET_S = 300.0


class Session:
    """See the module.

    Args:
        app: a folder with `app.py`, a file, or a module's name.
        continuum: a YAML file; None is the one beside the application (`continuum.yaml`, or `NAME.yaml` for `NAME.py`),
            else the default one.
        parameters: values for the application's parameters, as text.

    Every method raises `InputError` when the application or the continuum has mistakes; nothing is read before the
    first call.
    """

    def __init__(
        self,
        app: str | Path,
        *,
        continuum: str | Path | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self._app = app
        self._continuum = continuum
        self._parameters = dict(parameters or {})
        self._checked: CheckResult | None = None
        self._planned: Plan | None = None
        self._planned_with: Samples | None = None
        """The plan made or read last: it knows what earlier runs taught."""

    def check(self) -> CheckResult:
        """All mistakes of the application and its continuum, without importing user code. Raises nothing for them."""
        if self._checked is None:
            self._checked = check(self._app, self._continuum or self._own_continuum(), self._parameters)
        return self._checked

    @property
    def state_folder(self) -> Path:
        """`.ecotone` beside the application. Raises InputError when there is no such application."""
        read = self.check().read
        if read.file is None:
            raise InputError(f"{self._app}: there is no such application", read.problems)
        return Path(state_folder_of(str(read.file.parent.resolve()), read.module))

    def profile(
        self, *, budget_s: float | None = None, force: bool = False, progress: Progress | None = None
    ) -> Samples:
        """Measure what has not been measured yet.

        Args:
            budget_s: time for all measuring together, in seconds; None: 40.
            force: measure everything again.
            progress: told how far it is.

        Raises:
            ComponentError: a component raised, hung or died.
        """
        from ecotone.design.profiling import needed, profile  # noqa: PLC0415 - not for `check`

        application, _ = self.check().require()
        read = self.check().read
        assert read.root is not None, "an application without mistakes has a file"
        path = self.state_folder / "samples.json"
        samples = read_samples(path)
        known = samples is not None and not needed(application, read.root, read.module, read.parameters, samples)
        if samples is not None and known and not force:
            return self._calibrated(samples, path, progress)
        self._make_state_folder()
        taken = profile(
            application,
            read.root,
            read.module,
            read.parameters,
            samples_path=path,
            budget_s=DEFAULT_PROFILE_BUDGET_S if budget_s is None else budget_s,
            progress=progress,
            again=force,
        )
        return self._calibrated(taken, path, progress)

    def explore(
        self,
        vary: Sequence[str],
        *,
        component: str | None = None,
        accuracy: float = 0.1,
        budget_s: float = DEFAULT_EXPLORATION_BUDGET_S,
        progress: Progress | None = None,
    ) -> tuple[Explored, ...]:
        """Measure the configurations that teach the most, and learn models of call times, CPU times and memory.

        Every run is kept at once in `.ecotone/performance`, so that an interrupted exploration goes on.

        Args:
            vary: `NAME=VALUE,VALUE,...` each: batch, cores, or a parameter of the application.
            component: only this one; None: all.
            accuracy: mean relative error at which to stop (0.1: 10 %).
            budget_s: time for all of it, in seconds.
            progress: told how far it is.

        Raises:
            ComponentError: a component failed in every configuration that was tried.
            MissingExtraError: the extra `performance` is not installed.
        """
        from ecotone.design.profiling import explore  # noqa: PLC0415 - not for `check`

        application, _ = self.check().require()
        read = self.check().read
        assert read.root is not None, "an application without mistakes has a file"
        self._make_state_folder()

        def with_parameters(values: Mapping[str, Value]) -> Application:
            texts = {name: str(value) for name, value in values.items()}
            return Session(self._app, continuum=self._continuum, parameters=texts).check().require()[0]

        return explore(
            application,
            read.root,
            read.module,
            read.parameters,
            with_parameters=with_parameters,
            vary=vary,
            folder=self.state_folder / "performance",
            accuracy=accuracy,
            budget_s=budget_s,
            only=component,
            progress=progress,
        )

    def _known_samples(self, progress: Progress | None) -> Samples:
        """What was measured; what was not, as explorations foresee it; and the rest, measured now."""
        folder = self.state_folder / "performance"
        if not any(folder.glob("*.csv")):
            return self.profile(progress=progress)
        from ecotone.design.profiling import foresee, needed  # noqa: PLC0415 - most plans have no exploration

        application, _ = self.check().require()
        read = self.check().read
        assert read.root is not None, "an application without mistakes has a file"
        measured = read_samples(self.state_folder / "samples.json")
        foreseen = foresee(application, read.root, read.module, read.parameters, samples=measured, folder=folder)
        if not foreseen or measured is None:
            return self.profile(progress=progress)
        left = set(needed(application, read.root, read.module, read.parameters, measured)) - set(foreseen)
        if left:
            return self.profile(progress=progress)
        variants = tuple(foreseen.get((each.component, each.variant), each) for each in measured.variants)
        return msgspec.structs.replace(measured, variants=variants)

    def _calibrated(self, samples: Samples, path: Path, progress: Progress | None) -> Samples:
        """With the calibration of the machine that took them, where a node type has one to compare it with; briefly,
        and only if that machine is this one."""
        from ecotone.design.profiling import machine_name  # noqa: PLC0415

        _, continuum = self.check().require()
        wanted = any(kind.calibration is not None for site in continuum.sites for kind in site.node_types)
        if not wanted or samples.calibration is not None or samples.machine != machine_name():
            return samples
        from ecotone.design.calibration import BRIEF_S, calibrate  # noqa: PLC0415 - few continua need it

        def going(kind: str, fraction: float, message: str) -> None:
            if progress is not None:
                progress("this machine", "", fraction, f"calibrating: {message}")

        found = calibrate(for_s=BRIEF_S, folder=self.state_folder, several_threads=False, progress=going)
        samples = msgspec.structs.replace(samples, calibration=found)
        self._make_state_folder()
        write_samples(path, samples)
        return samples

    def plan(
        self,
        *,
        time_limit_s: float = 30.0,
        gap: float = 0.0,
        fuse: bool = False,
        force: bool = False,
        goal: Goal | None = None,
        load: float = 1.0,
        confidence: Confidence = "upper",
        progress: Progress | None = None,
    ) -> Plan:
        """The plan that is best by `goal`, by default the cheapest, and keeps every promise; profiles first if needed.

        Args:
            time_limit_s: when to settle for the best plan found.
            gap: relative distance from the proven bound that is good enough (0: optimal).
            fuse: let stateless neighbours on one node share a host process.
            force: plan again even if nothing has changed.
            goal: what is minimised, limits on the rest, and what runs now; None: the cheapest. Only that one is kept.
            load: multiplies the rates of all sources.
            confidence: whether promises are kept by the upper ends of the predictions' 90 % intervals, or as expected.

        Raises:
            InfeasibleError: no plan keeps every promise.
        """
        from ecotone.orchestration.placement import fingerprint_of  # noqa: PLC0415 - not for `check`

        application, continuum = self.check().require()
        parameters = self.check().read.parameters
        samples = self._as_observed(self._known_samples(progress))
        digest = fingerprint_of(
            application, continuum, samples, parameters=parameters, fuse=fuse, confidence=confidence
        )
        path = self.state_folder / "plans" / f"{digest}.json"
        is_usual = goal is None and load == 1.0
        self._planned_with = samples if load == 1.0 else None
        if is_usual and not force and (kept := _read_plan(path)) is not None and kept.gap <= gap:
            self._planned = kept
            return kept
        from ecotone.orchestration.placement import CHEAPEST, plan  # noqa: PLC0415 - numpy and the solver when needed

        found = plan(
            application,
            continuum,
            samples,
            parameters=parameters,
            time_limit_s=time_limit_s,
            gap=gap,
            fuse=fuse,
            goal=CHEAPEST if goal is None else goal,
            load=load,
            confidence=confidence,
        )
        if is_usual:
            self._make_state_folder()
            _replace(path, encode_plan(found))
        self._planned = found
        return found

    def pareto(
        self,
        by: Second,
        *,
        time_limit_s: float = 60.0,
        fuse: bool = False,
        load: float = 1.0,
        confidence: Confidence = "upper",
        progress: Progress | None = None,
    ) -> Frontier[Plan]:
        """Every plan of which none is cheaper without being worse in `by`, the cheapest first; proven, if time allows.

        The second objective of a point is watts, or the negative accuracy of the least accurate component.
        """
        from ecotone.orchestration.placement import pareto  # noqa: PLC0415

        given = self._given(fuse=fuse, confidence=confidence, progress=progress)
        return pareto(given, by, load=load, time_limit_s=time_limit_s, parameters=self.check().read.parameters)

    def largest_load(
        self,
        plan: Plan | None = None,
        *,
        time_limit_s: float = 60.0,
        confidence: Confidence = "upper",
        progress: Progress | None = None,
    ) -> LargestLoad:
        """How often the load of the sources this plan can carry with every promise kept, or with None any plan can."""
        from ecotone.orchestration.placement import largest_load  # noqa: PLC0415

        assignments = None if plan is None else self._fitting(plan).assignments
        given = self._given(fuse=plan is not None and bool(plan.groups), confidence=confidence, progress=progress)
        parameters = self.check().read.parameters
        return largest_load(given, assignments, time_limit_s=time_limit_s, parameters=parameters)

    def _given(self, *, fuse: bool, confidence: Confidence, progress: Progress | None) -> Given:
        from ecotone.orchestration.placement import Given  # noqa: PLC0415

        application, continuum = self.check().require()
        samples = self._as_observed(self._known_samples(progress))
        return Given(application=application, continuum=continuum, samples=samples, fuse=fuse, confidence=confidence)

    def explain(self, plan: Plan | None = None) -> Explanation:
        """Why each component is where it is, what binds, and what the best alternative would cost."""
        from ecotone.orchestration.placement import explain  # noqa: PLC0415

        application, continuum = self.check().require()
        chosen = self.plan() if plan is None else self._fitting(plan)
        return explain(application, continuum, self._as_observed(self._known_samples(None)), chosen)

    def _as_observed(self, samples: Samples) -> Samples:
        """With what earlier runs taught."""
        found = read_observed(self._observed_path)
        return samples if found is None else msgspec.structs.replace(samples, observed=found.for_plans())

    @property
    def _observed_path(self) -> Path:
        return self.state_folder / "performance" / "observed.json"

    def differences(self, plan: Plan) -> list[str]:
        """What running `plan` would change against the last run, as sentences; [] when nothing."""
        last = newest_run(str(self.state_folder))
        before = _read_plan(self.state_folder / "runs" / last / "plan.json") if last is not None else None
        return plan_differences(before, plan)

    def check_bus(self, bus_url: str) -> None:
        """Whether a run can use this operator's server, before anything is measured for it.

        Raises:
            InputError: it is not a bus URL.
            UnavailableError: the server is not there, refuses us, or has no JetStream.
        """
        from ecotone.session.outside_bus import check_bus  # noqa: PLC0415 - not for a run on the bundled server

        check_bus(bus_url)

    def run(
        self,
        plan: Plan | None = None,
        *,
        for_s: float | None = None,
        bus_url: str | None = None,
        resume: bool = False,
        inline: bool = False,
        on_snapshot: Callable[[RunReport], None] | None = None,
        snapshot_every_s: float = 0.25,
        stop: threading.Event | None = None,
    ) -> RunReport:
        """Deploy and run until `for_s` has passed, every source has ended, or `stop` is set; then drain and report.

        Call it from the main thread: what it starts dies with the thread that started it.

        Args:
            plan: what to run; None: plan first.
            bus_url: an operator's NATS server with JetStream, `nats://[TOKEN@]HOST[:PORT]`; None: the bundled one. Runs
                on one server do not see each other, and leave nothing there.
            resume: go on with the streams and the state of the last run; on an operator's server, of one that was
                killed.
            inline: everything in this process, for a debugger.
            on_snapshot: told the state about every `snapshot_every_s` seconds.

        Raises:
            InputError: `bus_url` is not a bus URL, or there is nothing to resume.
            UnavailableError: the bus or the agent could not be started, or the operator's bus cannot be used.
        """
        from ecotone.session.prestart import take  # noqa: PLC0415

        application, continuum = self.check().require()
        read = self.check().read
        started = take(str(read.root))
        stop = stop or threading.Event()
        try:
            if plan is None and bus_url is not None and not inline:
                self.check_bus(bus_url)
            chosen = self.plan() if plan is None else self._fitting(plan)
            self._make_state_folder()
            remove_stale_shared()
            folders = started.folders if started is not None else self._open_run(resume=resume)
            deployment = self._deployment(application, continuum, chosen, folders.run)
        except BaseException:
            if started is not None:
                started.abandon()
            raise
        try:
            _replace(Path(folders.folder) / "plan.json", encode_plan(chosen))
            if inline:
                from ecotone.session.inline import run_inline  # noqa: PLC0415

                return run_inline(
                    deployment,
                    folders,
                    for_s=for_s,
                    stop=stop,
                    on_snapshot=on_snapshot,
                    snapshot_every_s=snapshot_every_s,
                )
            from ecotone.session.embedded import run_embedded  # noqa: PLC0415

            return run_embedded(
                deployment,
                folders,
                started,
                for_s=for_s,
                bus_url=bus_url,
                resume=resume,
                stop=stop,
                on_snapshot=on_snapshot,
                snapshot_every_s=snapshot_every_s,
                observed_path=self._observed_path if chosen is self._planned else None,
                judge=self._judge(deployment) if chosen is self._planned else None,
            )
        finally:
            folders.remove_shared()

    def _judge(self, deployment: Deployment) -> Judge | None:
        """By which the controller may change cores while it runs; None where there are none to change."""
        from ecotone.orchestration.control.elastic import elastic_cores, judge_of  # noqa: PLC0415

        samples = self._planned_with
        return judge_of(deployment, samples) if samples is not None and elastic_cores(deployment) else None

    def _own_continuum(self) -> Path | None:
        """The continuum file that lies beside the application, if there is one."""
        app = Path(self._app)
        folder = app if app.is_dir() else app.parent
        own = [app.with_suffix(".yaml")] if app.suffix == ".py" else []
        return next((path for path in (*own, folder / "continuum.yaml") if path.is_file()), None)

    def _fitting(self, plan: Plan) -> Plan:
        """The plan, if it speaks of this application and this continuum."""
        application, continuum = self.check().require()
        problems = _misfits(plan, application, continuum)
        if plan.application != application.name:
            problems = problems[:1]  # all the others follow from this one
        if problems:
            raise InputError(f"the plan does not fit: {'; '.join(problems)}; make one with: ecotone plan APP --json")
        return plan

    def _deployment(self, application: Application, continuum: Continuum, plan: Plan, run: str) -> Deployment:
        from ecotone.design.profiling import machine_name, machine_score  # noqa: PLC0415
        from ecotone.orchestration.control.deployment import make_deployment  # noqa: PLC0415

        read = self.check().read
        samples = read_samples(self.state_folder / "samples.json")
        same_machine = samples is None or samples.machine == machine_name()
        return make_deployment(
            run=run,
            application=application,
            continuum=continuum,
            plan=plan,
            samples=samples,
            parameters=read.parameters,
            root=str(read.root),
            module=read.module,
            speed_of_machine=1.0 if samples is None or same_machine else machine_score() / samples.machine_score,
        )

    def _open_run(self, *, resume: bool) -> RunFolders:
        try:
            return open_run(str(self.state_folder), resume=resume)
        except FileNotFoundError:
            raise InputError(f"{self._app}: there is no run to resume; run it without --resume") from None
        except BlockingIOError:
            raise UnavailableError(f"{self._app}: its last run is still going on; stop that first") from None
        except OSError as error:
            raise _cannot_write(self.state_folder, error) from None

    def _make_state_folder(self) -> None:
        folder = self.state_folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n")
        except OSError as error:
            raise _cannot_write(folder, error) from None


def _misfits(plan: Plan, application: Application, continuum: Continuum) -> list[str]:
    """Why the plan cannot be run, as sentences."""
    components = {each.name: each for each in application.components}
    nodes = {each.name for each in continuum.nodes}
    placed = {each.component for each in plan.assignments}
    problems = [f"it is for the application {plan.application!r}"] if plan.application != application.name else []
    problems += [f"it places the unknown component {name!r}" for name in sorted(placed - set(components))]
    problems += [f"it has no place for {name!r}" for name in sorted(set(components) - placed)]
    for each in plan.assignments:
        variants = (
            [variant.name for variant in components[each.component].variants] if each.component in components else []
        )
        least, most = components[each.component].cores if each.component in components else (each.cores, each.cores)
        if not least <= each.cores <= most:
            some = f"{least}" if least == most else f"{least} to {most}"
            problems.append(f"{each.component} cannot use {each.cores} cores (it can use {some})")
        if each.node not in nodes:
            problems.append(f"{continuum.name} has no node {each.node!r} (for {each.component})")
        if variants and each.variant not in variants:
            problems.append(f"{each.component} has no variant {each.variant!r} (it has {', '.join(variants)})")
    return problems


def _read_plan(path: Path) -> Plan | None:
    """A plan that was kept; None when there is none or it is of another version."""
    try:
        return decode_plan(path.read_bytes(), str(path))
    except (OSError, InputError):
        return None


def _replace(path: Path, data: bytes) -> None:
    """`replace_file`, whose failure says what to do."""
    try:
        replace_file(path, data)
    except OSError as error:
        raise _cannot_write(path.parent, error) from None


def _cannot_write(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"cannot write to {folder}: {error.strerror}; copy the application to a folder of your own with space on it"
    )
