"""The agent's state machine, one step at a time."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecotone.core.messages import WantedInstance, WantedNode
from ecotone.execution.agent.decide import (
    Booted,
    Event,
    Exited,
    GiveBack,
    Kill,
    NodeState,
    Observed,
    Report,
    Rules,
    Start,
    Started,
    Stop,
    Tell,
    Vitals,
    Wake,
    decide,
    memory_limits,
    restart_delay_s,
)

RULES = Rules(item_timeouts_s={"detect": 0.5}, memory_bytes={"detect.edge-1.0": 256 * 2.0**20})
DETECT = WantedInstance(id="detect.edge-1.0", components=("detect",), variants=("large",))
SMALL = WantedInstance(id="detect.edge-1.0", components=("detect",), variants=("small",))
NOTHING = WantedNode(node="edge-1")
WANTED = WantedNode(node="edge-1", instances=(DETECT,))
CHANGED = WantedNode(node="edge-1", instances=(SMALL,))


class Node:
    """Feeds `decide` and keeps what it says."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.state = NodeState()
        self.now_s = 100.0
        self.wanted = WANTED

    def feed(self, event: Event = None, *, after_s: float = 0.0) -> list[Any]:
        self.now_s += after_s
        self.state, actions = decide(self.wanted, self.state, event, self.now_s, self.rules)
        return list(actions)

    def look(self, *, after_s: float = 0.25, **vitals: Any) -> list[Any]:
        self.now_s += after_s
        fields = {"ready": True, "heartbeat_s": self.now_s} | vitals
        return self.feed(Observed({DETECT.id: Vitals(**fields)}))

    def run(self) -> None:
        """Until it runs, and the agent has looked for long enough to judge ages."""
        self.feed()
        self.feed(Started(DETECT.id, self.instance.attempt, 4711))
        for _ in range(10):
            self.look()
        assert self.instance.phase == "running"

    @property
    def instance(self) -> Any:
        return self.state.instances[DETECT.id]


def of(kind: type, actions: list[Any]) -> list[Any]:
    return [each for each in actions if isinstance(each, kind)]


def test_what_is_wanted_is_started_once() -> None:
    node = Node()

    assert of(Start, node.feed()) == [Start(DETECT, 1)]
    assert not of(Start, node.feed(after_s=5.0))
    assert node.instance.phase == "starting"


def test_what_an_earlier_agent_left_open_is_given_back_before_anything_starts() -> None:
    node = Node()
    first = node.feed(Booted(("old.edge-1.0", DETECT.id)))

    assert of(GiveBack, first)[:2] == [GiveBack("old.edge-1.0"), GiveBack(DETECT.id)]
    kinds = [type(each) for each in first]
    assert kinds.index(GiveBack) < kinds.index(Start)


def test_ready_is_reported() -> None:
    node = Node()
    node.feed()
    node.feed(Started(DETECT.id, 1, 4711))
    (report,) = of(Report, node.look())

    assert report.instances[0].phase == "running"
    assert report.instances[0].pid == 4711


def test_nothing_new_is_not_reported() -> None:
    node = Node()
    node.run()

    assert not of(Report, node.look())


def test_a_dead_host_is_replaced_at_once_after_its_items_are_given_back() -> None:
    node = Node()
    node.run()
    actions = node.feed(Exited(DETECT.id, 1, "killed by SIGKILL"))

    assert [type(each) for each in actions if not isinstance(each, (Tell, Report, Wake))] == [GiveBack, Start]
    assert of(Start, actions) == [Start(DETECT, 2)]
    assert of(Report, actions)[0].instances[0].reason == "killed by SIGKILL"
    assert of(Report, actions)[0].instances[0].restarts == 1


def test_an_exit_of_an_earlier_life_means_nothing() -> None:
    node = Node()
    node.run()
    node.feed(Exited(DETECT.id, 1, "killed by SIGKILL"))

    assert not of(Start, node.feed(Exited(DETECT.id, 1, "killed by SIGKILL")))


def test_back_off_grows_and_ends_in_failure_that_is_tried_again_slowly() -> None:
    node = Node()
    node.feed()
    waits = []
    for attempt in range(1, 9):
        actions = node.feed(Exited(DETECT.id, attempt, "exited with status 1"))
        if of(Start, actions):
            waits.append(0.0)
            continue
        (wake,) = of(Wake, actions)
        waits.append(round(wake.at_s - node.now_s, 6))
        assert not of(Start, node.feed(after_s=(wake.at_s - node.now_s) * 0.99))
        node.now_s = wake.at_s
        assert of(Start, node.feed()) == [Start(DETECT, attempt + 1)]

    assert waits == [0.0, 0.1, 0.2, 0.4, 0.8, 5.0, 5.0, 5.0]


def test_six_quick_deaths_are_a_failure_with_its_reason() -> None:
    node = Node()
    node.feed()
    for attempt in range(1, 7):
        actions = node.feed(Exited(DETECT.id, attempt, "ValueError: no model"), after_s=6.0)
        if attempt < 6:
            node.feed(after_s=6.0)

    assert node.instance.phase == "failed"
    assert of(Report, actions)[0].instances[0].reason == "ValueError: no model"
    assert Tell("host_failed", DETECT.id, "ValueError: no model") in actions


def test_ten_seconds_of_health_clear_the_record() -> None:
    node = Node()
    node.feed()
    for attempt in (1, 2, 3):
        node.feed(Exited(DETECT.id, attempt, "exited with status 1"), after_s=1.0)
        node.feed(after_s=1.0)
    node.feed(Started(DETECT.id, 4, 4711))
    node.look()
    node.now_s += 10.0

    assert of(Start, node.feed(Exited(DETECT.id, 4, "killed by SIGKILL")))
    assert node.instance.deaths == 1


def test_one_that_refuses_is_not_started_again() -> None:
    node = Node()
    node.feed()
    actions = node.feed(Exited(DETECT.id, 1, "makes private data", refused=True))

    assert node.instance.phase == "failed"
    assert not of(Wake, actions)
    assert not of(Start, node.feed(after_s=3600.0))


def test_a_changed_plan_gives_a_failed_one_another_chance_at_once() -> None:
    node = Node()
    node.feed()
    node.feed(Exited(DETECT.id, 1, "no", refused=True))
    node.wanted = CHANGED

    assert of(Start, node.feed()) == [Start(SMALL, 2)]
    assert node.instance.deaths == 0


def test_what_is_no_longer_wanted_is_drained_then_killed() -> None:
    node = Node()
    node.run()
    node.wanted = NOTHING

    assert of(Stop, node.feed()) == [Stop(DETECT.id)]
    assert not of(Kill, node.feed(after_s=RULES.stop_grace_s - 0.1))
    (kill,) = of(Kill, node.feed(after_s=0.2))
    assert "SIGTERM" in kill.reason
    actions = node.feed(Exited(DETECT.id, 1, "killed by SIGKILL"))
    assert GiveBack(DETECT.id) in actions
    assert of(Report, actions) == [Report(())]
    assert not node.state.instances


def test_one_that_does_not_die_is_killed_again() -> None:
    node = Node()
    node.run()
    node.wanted = NOTHING
    node.feed()
    node.feed(after_s=6.0)

    assert not of(Kill, node.feed(after_s=0.5))
    assert of(Kill, node.feed(after_s=0.6))


def test_another_variant_is_started_when_the_old_one_is_gone() -> None:
    node = Node()
    node.run()
    node.wanted = CHANGED

    first = node.feed()
    assert of(Stop, first)
    assert not of(Start, first)
    assert of(Start, node.feed(Exited(DETECT.id, 1, "exited with status 0"))) == [Start(SMALL, 2)]
    assert node.instance.restarts == 0, "a change of plan is not a crash"


def test_wanted_again_while_it_stops() -> None:
    node = Node()
    node.run()
    node.wanted = NOTHING
    node.feed()
    node.wanted = WANTED

    assert not of(Start, node.feed())
    assert of(Start, node.feed(Exited(DETECT.id, 1, "exited with status 0"))) == [Start(DETECT, 2)]


def test_a_silent_host_without_an_item_hangs() -> None:
    node = Node()
    node.run()
    since_s = node.now_s
    assert not of(Kill, node.look(after_s=0.75, heartbeat_s=since_s))
    assert not of(Kill, node.look(after_s=0.75, heartbeat_s=since_s))
    actions = node.look(after_s=0.1, heartbeat_s=since_s)

    (kill,) = of(Kill, actions)
    assert kill.reason.startswith("hung: no heartbeat for 1.60 s")
    assert Tell("host_hung", DETECT.id, kill.reason) in actions
    assert of(Start, node.feed(Exited(DETECT.id, 1, "killed by SIGKILL"))), "it died of it: back at once"
    assert node.instance.reason == kill.reason


def test_native_code_may_hold_the_interpreter_as_long_as_its_item_may_take() -> None:
    node = Node(Rules(item_timeouts_s={"detect": 10.0}))
    node.run()
    since_s = node.now_s
    kills: list[Kill] = []
    while not kills:
        kills = of(Kill, node.look(after_s=0.9, heartbeat_s=since_s, items=(("detect", since_s),)))

    assert node.now_s - since_s == pytest.approx(10.8)
    assert "detect has worked on one item" in kills[0].reason


def test_a_stopped_process_hangs_whether_it_has_an_item_or_not() -> None:
    node = Node(Rules(item_timeouts_s={"detect": 60.0}))
    node.run()
    since_s = node.now_s
    node.look(after_s=0.8, heartbeat_s=since_s, items=(("detect", since_s),), frozen=True)

    assert of(Kill, node.look(after_s=0.8, heartbeat_s=since_s, items=(("detect", since_s),), frozen=True))


def test_an_item_over_its_timeout_ends_its_host_even_if_it_beats() -> None:
    node = Node()
    node.run()
    started_s = node.now_s
    assert not of(Kill, node.look(after_s=0.4, items=(("detect", started_s),)))
    (kill,) = of(Kill, node.look(after_s=0.2, items=(("detect", started_s),)))

    assert kill.reason == "hung: detect has worked on one item for 0.60 s, its timeout is 0.5 s"


def test_too_much_memory() -> None:
    node = Node()
    node.run()
    (kill,) = of(Kill, node.look(memory_bytes=312 * 2.0**20))

    assert kill.reason == "used 312 MiB, may use 256 MiB"


def test_when_the_agent_itself_was_away_nobody_is_judged_by_age() -> None:
    node = Node()
    node.run()
    since_s = node.now_s
    assert not of(Kill, node.look(after_s=20.0, heartbeat_s=since_s))
    assert not of(Kill, node.look(after_s=0.25, heartbeat_s=since_s))
    assert of(Kill, node.look(after_s=0.9, heartbeat_s=since_s) + node.look(after_s=0.9, heartbeat_s=since_s))


def test_not_ready_in_time() -> None:
    node = Node()
    node.feed()
    node.feed(Started(DETECT.id, 1, 4711))
    kills = []
    for _ in range(40):
        kills += of(Kill, node.look(after_s=0.9, ready=False, heartbeat_s=0.0))

    assert kills[0].reason == "not ready 30 s after its start"


def test_no_answer_to_a_start() -> None:
    node = Node()
    (wake,) = of(Wake, node.feed())
    assert wake.at_s == pytest.approx(node.now_s + 30.0)
    (kill,) = of(Kill, node.feed(after_s=30.0))

    assert "no process" in kill.reason


def test_memory_that_nobody_declared_is_shared() -> None:
    first = WantedInstance(id="a.n.0", components=("a",), variants=("v",))
    second = WantedInstance(id="b.n.0", components=("b", "c"), variants=("v", "v"))
    third = WantedInstance(id="d.n.0", components=("d",), variants=("v",))

    limits = memory_limits((first, second, third), {"a": 100.0, "b": 50.0, "c": None, "d": None}, 1000.0)

    assert limits == {"a.n.0": 100.0, "b.n.0": 450.0, "d.n.0": 450.0}


@given(st.integers(0, 10_000))
def test_delays_are_bounded(deaths: int) -> None:
    assert 0.0 <= restart_delay_s(deaths, RULES) <= RULES.backoff_max_s


@st.composite
def events(draw: st.DrawFn) -> Event:
    attempt = draw(st.integers(0, 4))
    now = st.floats(0.0, 300.0)
    return draw(
        st.one_of(
            st.none(),
            st.just(Booted(("detect.edge-1.0",))),
            st.builds(Started, st.just(DETECT.id), st.just(attempt), st.just(1)),
            st.builds(Exited, st.just(DETECT.id), st.just(attempt), st.just("x"), refused=st.booleans()),
            st.builds(
                lambda **fields: Observed({DETECT.id: Vitals(**fields)}),
                ready=st.booleans(),
                heartbeat_s=now,
                items=st.lists(st.tuples(st.just("detect"), now), max_size=1).map(tuple),
                frozen=st.booleans(),
                memory_bytes=st.sampled_from([0.0, 1e12]),
            ),
        )
    )


@given(
    st.lists(
        st.tuples(events(), st.floats(0.0, 20.0), st.sampled_from([NOTHING, WANTED, CHANGED])),
        max_size=30,
    )
)
def test_whatever_happens_there_is_one_process_at_a_time_and_time_does_not_stand_still(
    steps: list[tuple[Event, float, WantedNode]],
) -> None:
    state, now_s, alive = NodeState(), 0.0, 0
    for event, passed_s, wanted in steps:
        now_s += passed_s
        before = state.instances.get(DETECT.id)
        if isinstance(event, Exited) and before is not None and before.running and event.attempt == before.attempt:
            alive -= 1
        state, actions = decide(wanted, state, event, now_s, RULES)
        alive += len(of(Start, list(actions)))
        assert alive in {0, 1}
        for wake in of(Wake, list(actions)):
            assert now_s < wake.at_s < math.inf, "a wake-up for now would be a busy loop"
