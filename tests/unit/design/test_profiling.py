"""Profiling of tiny applications, with real workers: what is measured, and what bad user code leads to."""

from __future__ import annotations

import math
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ecotone.core.errors import ComponentError, InputError, UnavailableError
from ecotone.design.profiling import Limits, machine_score, needed, profile, variant_keys
from ecotone.design.profiling._items import ItemReader, ItemWriter
from ecotone.design.profiling._statistics import RunningMean, thinned
from ecotone.design.read import read_application
from ecotone.execution.host.codec import Decoder, Encoder
from ecotone.orchestration.performance.samples import read_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.orchestration.performance.samples import Samples

HEAD = """
from __future__ import annotations
import os, sys, time
import msgspec
from ecotone import component, output_dir, parameter, path, variant
"""
RECORDED = Path(__file__).parents[2] / "recorded" / "sysfs"
QUICK = Limits(budget_s=1.0, call_max_s=1.0, start_max_s=10.0)


def written(folder: Path, code: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(HEAD + textwrap.dedent(code))
    return folder


def measured(
    folder: Path,
    *,
    limits: Limits = QUICK,
    only: Sequence[str] | None = None,
    budget_s: float = 1.0,
    calls: list[tuple[str, str, float, str]] | None = None,
    sysfs: Path = Path("/sys"),
) -> Samples:
    read = read_application(folder)
    assert read.root is not None
    return profile(
        read.require(),
        read.root,
        read.module,
        read.parameters,
        samples_path=folder / ".ecotone" / "samples.json",
        budget_s=budget_s,
        limits=limits,
        only=only,
        sysfs=sysfs,
        progress=None if calls is None else lambda *call: calls.append(call),
    )


def still_needed(folder: Path, samples: Samples | None, **parameters: str) -> set[str]:
    read = read_application(folder, parameters)
    assert read.root is not None
    return {name for name, _ in needed(read.require(), read.root, read.module, read.parameters, samples)}


PIPELINE = """
size = parameter("size", 1000)

@component(every="10 ms", layers=["device"])
class Source:
    def __call__(self) -> bytes:
        return bytes(size.value)

@component(on=Source)
class Half:
    def __init__(self) -> None:
        self.count = 0
    def __call__(self, data: bytes) -> bytes | None:
        self.count += 1
        return data[: len(data) // 2] if self.count % 2 else None

@component(on=Half, every="1 s")
def lengths(window: list[bytes]) -> list[int]:
    return [len(each) for each in window]

@component(on=Half, batch=4)
def total(batch: list[bytes]) -> int:
    return sum(len(each) for each in batch)
"""


def test_each_component_is_measured_on_what_the_one_before_emitted(tmp_path: Path) -> None:
    samples = measured(written(tmp_path / "pipe", PIPELINE))
    half, lengths, total = (samples.of(name, "default") for name in ("half", "lengths", "total"))
    assert half is not None and lengths is not None and total is not None
    assert half.outputs_per_input == pytest.approx(0.5, abs=0.02)
    assert set(half.output_bytes) == {500}
    # 100 items a second, half of them dropped, one list a second.
    assert lengths.batch_items == pytest.approx(50, abs=2)
    assert lengths.outputs_per_input == pytest.approx(1 / 50, rel=0.1)
    assert total.batch_items == 4
    assert total.outputs_per_input == pytest.approx(0.25)
    assert all(len(each.cpu_s) >= 10 for each in samples.variants)
    assert all(len(each.cpu_s) == len(each.wall_s) for each in samples.variants)


PAUSES = """
import time

@component(every="50 ms")
def tick() -> int:
    return 1

@component(on=tick)
class Gap:
    def __init__(self) -> None:
        self.last_s = time.monotonic()
    def __call__(self, item: int) -> bytes:
        before_s, self.last_s = self.last_s, time.monotonic()
        return bytes(round(1e4 * (self.last_s - before_s)))

@component(on=Gap)
def end(data: bytes) -> None:
    pass
"""


def test_timed_calls_are_as_far_apart_as_in_a_run(tmp_path: Path) -> None:
    gap = measured(written(tmp_path / "pauses", PAUSES), budget_s=6.0).of("gap", "default")
    assert gap is not None
    # 2 s for gap: half of it for 50 rests of 20 ms; a length of 10 is 1 ms.
    rested = [size for size in gap.output_bytes if size >= 195]
    assert len(rested) >= len(gap.cpu_s) >= 20
    assert len(rested) < len(gap.output_bytes)


def test_the_file_is_read_again_and_nothing_more_is_needed(tmp_path: Path) -> None:
    folder = written(tmp_path / "pipe", PIPELINE)
    calls: list[tuple[str, str, float, str]] = []
    samples = measured(folder, calls=calls)
    kept = read_samples(folder / ".ecotone" / "samples.json")
    assert kept is not None and kept.variants == samples.variants
    assert still_needed(folder, kept) == set()
    fractions = [fraction for _, _, fraction, _ in calls]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert {component for component, _, _, _ in calls} == {"source", "half", "lengths", "total"}
    again: list[tuple[str, str, float, str]] = []
    assert measured(folder, calls=again).variants == samples.variants
    assert again == []
    assert [path.name for path in (folder / ".ecotone").iterdir()] == ["samples.json"]


def test_changed_code_parameters_and_files_are_measured_again(tmp_path: Path) -> None:
    folder = written(tmp_path / "app", "import helper\n\n@component(every='1 s')\ndef tick() -> int:\n    return 1\n")
    (folder / "helper.py").write_text("import further\nMODEL = 'model.bin'\n")
    (folder / "further.py").write_text("X = 1\n")
    read = read_application(folder)
    root = read.root
    assert root is not None

    def key(**parameters: int) -> str:
        return variant_keys(read.require(), root, read.module, parameters)["tick", "default"]

    first = key()
    assert key() == first
    (folder / "unrelated.py").write_text("X = 2\n")
    assert key() == first
    seen = {first}
    for name, text in (
        ("further.py", "X = 2\n"),
        ("helper.py", "import further\nM = 'model.bin'\n"),
        ("model.bin", ""),
    ):
        (folder / name).write_text(text)
        assert key() not in seen
        seen.add(key())
    assert key(size=2) not in seen


def test_promises_and_their_parameters_do_not_ask_for_another_measurement(tmp_path: Path) -> None:
    code = """
    bound = parameter("bound", "50 ms")
    goal = parameter("goal", 0.5)
    scale = parameter("scale", 3)
    PERIOD = {period!r}

    @component(every=PERIOD, latency={latency!r})
    def first() -> int:
        return scale.value

    @component(on=first, accuracy=goal)
    def second(number: int) -> int:
        return number

    path(first, second, latency=bound)
    """

    def keys(folder: str, set_: dict[str, str] | None = None, **written_in: str) -> dict[tuple[str, str], str]:
        text = {"period": "1 s", "latency": "10 ms"} | written_in
        read = read_application(written(tmp_path / folder, textwrap.dedent(code).format(**text)), set_ or {})
        assert read.root is not None
        # The text of the code is part of the key; here it is what it says that is compared.
        (tmp_path / folder / "app.py").write_text(HEAD + textwrap.dedent(code).format(period="", latency=""))
        return variant_keys(read.require(), read.root, read.module, read.parameters)

    plain = keys("a")
    assert keys("a", {"bound": "20 ms", "goal": "0.9"}) == plain
    assert keys("a", latency="5 ms") == plain
    for changed in (keys("a", {"scale": "4"}), keys("a", period="2 s")):
        assert not set(changed.values()) & set(plain.values())


def test_only_what_is_named_is_measured(tmp_path: Path) -> None:
    folder = written(tmp_path / "pipe", PIPELINE)
    samples = measured(folder, only=["half"])
    assert [each.component for each in samples.variants] == ["half"]
    assert still_needed(folder, samples) == {"source", "lengths", "total"}
    assert still_needed(folder, samples, size="10") == {"source", "half", "lengths", "total"}
    with pytest.raises(InputError, match="no component 'hlaf'"):
        measured(folder, only=["hlaf"])


VARIANTS = """
def closeness(found: int, wanted: int) -> float | None:
    return None if wanted == 0 else 1.0 if found == wanted else 0.5

@component(source=True, throughput="100 items/s")
def numbers() -> Iterator[int]:
    for number in range(40):
        yield number

@component(on=numbers, agreement=closeness, variants=[
    variant("exact", step=1), variant("coarse", step=4), variant("sworn", step=2, accuracy=0.7)])
def rounded(number: int, step: int) -> int:
    return number // step * step
"""


def test_variants_are_compared_with_the_first_by_their_agreement(tmp_path: Path) -> None:
    samples = measured(written(tmp_path / "app", "from collections.abc import Iterator\n" + VARIANTS))
    exact, coarse, sworn = (samples.of("rounded", name) for name in ("exact", "coarse", "sworn"))
    assert exact is not None and coarse is not None and sworn is not None
    assert (exact.accuracy, exact.accuracy_source) == (1.0, "agreement")
    # Nine multiples of four agree, thirty do not; zero says nothing.
    assert coarse.accuracy == pytest.approx((9 + 30 * 0.5) / 39, abs=1e-3)
    assert coarse.accuracy_source == "agreement"
    assert (sworn.accuracy, sworn.accuracy_source) == (0.7, "declared")
    numbers = samples.of("numbers", "default")
    assert numbers is not None and (numbers.accuracy, numbers.accuracy_source) == (None, "unknown")


def test_work_memory_and_start_are_seen(tmp_path: Path) -> None:
    code = """
    @component(every="1 s")
    class Worker:
        def __init__(self) -> None:
            end = time.process_time() + 0.1
            while time.process_time() < end:
                pass
            self.kept = bytearray(os.urandom(1 << 16) * 800)
        def __call__(self) -> int:
            end = time.process_time() + 0.004
            while time.process_time() < end:
                pass
            return 1
    """
    worker = measured(written(tmp_path / "app", code)).of("worker", "default")
    assert worker is not None
    assert min(worker.cpu_s) >= 0.004
    assert worker.start_s >= 0.1
    assert worker.memory_peak_bytes >= 50e6


def failing(tmp_path: Path, body: str, limits: Limits = QUICK) -> str:
    """Profile a component with this body, check that the one before it was kept, and return the message."""
    code = f"""
@component(every="10 ms")
def fine() -> int:
    return 1

@component(on=fine)
class Bad:
    kept: list = []
    def __call__(self, number: int) -> int:
{textwrap.indent(textwrap.dedent(body), "        ")}
        return number
"""
    folder = written(tmp_path / "app", code)
    with pytest.raises(ComponentError) as caught:
        measured(folder, limits=limits)
    kept = read_samples(folder / ".ecotone" / "samples.json")
    assert kept is not None and [each.component for each in kept.variants] == ["fine"]
    assert [path.name for path in (folder / ".ecotone").iterdir()] == ["samples.json"]
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def test_a_component_that_raises_is_named_with_its_line_and_what_it_printed(tmp_path: Path) -> None:
    message = failing(tmp_path, "print('the last words')\nraise ValueError('boom')")
    assert message.startswith("bad: ValueError: boom (app.py:")
    assert "the last words" in message


def test_a_component_that_hangs_is_stopped(tmp_path: Path) -> None:
    limits = Limits(budget_s=1.0, call_max_s=0.5, start_max_s=10.0)
    assert "bad: it hangs: one call takes more than 0.5 s" in failing(tmp_path, "time.sleep(60)", limits)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("sys.exit(3)", "it called sys.exit(3)"),
        ("os._exit(4)", "its process ended with status 4"),
        ("os.kill(os.getpid(), 9)", "its process died by SIGKILL (out of memory?)"),
        ("os.abort()", "its process died by SIGABRT"),
        ("return lambda: 1", "its output cannot travel"),
    ],
)
def test_a_component_that_ends_or_emits_the_impossible_is_named(tmp_path: Path, body: str, expected: str) -> None:
    message = failing(tmp_path, body)
    assert message.startswith("bad: ") and expected in message


def test_a_component_that_leaks_is_stopped_at_its_bound(tmp_path: Path) -> None:
    limits = Limits(budget_s=20.0, call_max_s=5.0, start_max_s=10.0, memory_max_bytes=150e6)
    body = "self.kept.append(bytearray(b'x' * 4_000_000))\nend = time.time() + 0.005\nwhile time.time() < end: pass"
    message = failing(tmp_path, body, limits)
    assert "of memory after" in message and "does it keep what it is given?" in message


def test_garbage_on_the_output_does_no_harm(tmp_path: Path) -> None:
    code = r"""
    @component(every="10 ms")
    def loud() -> int:
        os.write(1, b"\xff\xfe\x00garbage\n" * 50)
        os.write(2, b"\x1b[2J")
        sys.stdout.write("x" * 5000)
        return 1
    """
    samples = measured(written(tmp_path / "app", code))
    assert samples.of("loud", "default") is not None


def test_one_that_lets_nothing_pass_is_named(tmp_path: Path) -> None:
    code = """
    @component(every="10 ms")
    def silent() -> int | None:
        return None

    @component(on=silent)
    def after(number: int) -> int:
        return number
    """
    with pytest.raises(ComponentError, match="silent: it let none of its sample items pass"):
        measured(written(tmp_path / "app", code))


def test_a_missing_package_and_wrong_input_are_told_apart(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "one", "import no_such_package\n\n@component(every='1 s')\ndef a() -> int:\n    return 1\n"
    )
    with pytest.raises(UnavailableError, match="needs the package no_such_package"):
        measured(folder)
    code = """
    from ecotone.core.errors import InputError

    @component(every="1 s")
    class Reader:
        def __init__(self) -> None:
            raise InputError("no file x.avi; name one with --set clip=FILE")
        def __call__(self) -> int:
            return 1
    """
    with pytest.raises(InputError, match=r"reader: no file x\.avi; name one"):
        measured(written(tmp_path / "two", code))


def test_requests_come_from_the_samples_folder(tmp_path: Path) -> None:
    code = """
    class Question(msgspec.Struct):
        text: str

    @component(request=True, timeout="1 s")
    def answer(question: Question) -> str:
        return question.text.upper()
    """
    folder = written(tmp_path / "app", code)
    with pytest.raises(InputError, match=r"answer: profiling needs sample requests.*answer\.json"):
        measured(folder)
    (folder / "samples").mkdir()
    (folder / "samples" / "answer.json").write_text('[{"text": "hello"}]')
    answer = measured(folder).of("answer", "default")
    assert answer is not None and answer.outputs_per_input == 1.0


def test_joins_get_one_item_of_each_with_the_same_field(tmp_path: Path) -> None:
    code = """
    from collections.abc import Iterator

    class Numbered(msgspec.Struct):
        number: int

    @component(source=True, throughput="100 items/s")
    def left() -> Iterator[Numbered]:
        for number in range(30):
            yield Numbered(number)

    @component(source=True, throughput="100 items/s")
    def right() -> Iterator[Numbered]:
        for number in range(20, 60):
            yield Numbered(number)

    @component(on=[left, right], join="number")
    def both(pair: dict[str, Numbered]) -> int:
        assert pair["left"].number == pair["right"].number >= 20
        return pair["left"].number
    """
    both = measured(written(tmp_path / "app", code)).of("both", "default")
    assert both is not None and len(both.cpu_s) >= 10


def test_the_mean_is_known_better_with_more_values() -> None:
    few, many = RunningMean(), RunningMean()
    assert few.half_width() == math.inf
    for number in range(10):
        few.add(1.0 + number % 2)
    for number in range(1000):
        many.add(1.0 + number % 2)
    assert few.mean == pytest.approx(1.5) and many.mean == pytest.approx(1.5)
    # Student's t for 9 degrees of freedom is 2.262; the standard deviation is 0.527.
    assert few.half_width() == pytest.approx(2.262 * 0.527 / math.sqrt(10) / 1.5, rel=0.02)
    assert many.half_width() < 0.03
    assert thinned(range(1000), 4) == (0, 250, 500, 750)
    assert thinned([1, 2], 4) == (1, 2)


def test_item_files_keep_arrays_and_stop_when_full(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    writer = ItemWriter(tmp_path / "items", bytes_max=25_000)
    encoder = Encoder("x")
    for number in range(10):
        writer.write(number * 2, encoder.encode({"frame": numpy.full(4096, number, numpy.uint8), "n": number}))
    assert writer.full
    writer.close()
    reader = ItemReader(tmp_path / "items", Decoder(None))
    assert 2 <= len(reader) <= 6
    there, item = reader.of_call(2)
    assert there and isinstance(item, dict) and item["n"] == 1 and int(item["frame"].sum()) == 4096
    assert reader.of_call(3) == (False, None)
    assert reader.last_call == (len(reader) - 1) * 2
    reader.close()


def test_the_score_of_a_machine_is_a_positive_number() -> None:
    assert 0.01 < machine_score() < 100


TURNING = """
    @component(source=True, throughput="50 items/s")
    def turn():
        while True:
            total = 0
            for number in range(40_000):
                total += number * number % 7
            yield total
"""


def test_a_machine_without_a_meter_says_so_and_the_kind_of_work_is_known(tmp_path: Path) -> None:
    found = measured(written(tmp_path / "app", TURNING), sysfs=tmp_path / "no").variants[0]
    assert (found.energy_j, found.energy_source) == (None, "estimated")
    assert "no energy counter" in found.energy_note
    assert found.mix is not None
    assert found.mix.interpreted > found.mix.native
    assert sum((found.mix.interpreted, found.mix.native, found.mix.system)) == pytest.approx(1.0, abs=0.01)


def test_joules_come_from_the_counter_of_the_machine(tmp_path: Path) -> None:
    """A recorded machine whose counter the component itself turns: half a joule a call."""
    sysfs = Path(shutil.copytree(RECORDED / "laptop", tmp_path / "laptop"))
    counter = sysfs / "class/powercap/intel-rapl:0/energy_uj"
    code = TURNING.replace(
        "            yield total",
        f"            used = int(open({str(counter)!r}).read()) + 500_000\n"
        f"            open({str(counter)!r}, 'w').write(str(used))\n"
        "            yield total",
    )
    found = measured(written(tmp_path / "app", code), sysfs=sysfs).variants[0]
    assert found.energy_source == "measured"
    assert found.energy_j == pytest.approx(0.5, rel=0.02)
    assert found.energy_meter == "RAPL package-0"


def test_a_counter_that_stands_still_is_not_believed(tmp_path: Path) -> None:
    found = measured(written(tmp_path / "app", TURNING), sysfs=RECORDED / "server").variants[0]
    assert found.energy_j is None
    assert "noise" in found.energy_note


def test_a_slow_meter_asks_for_a_larger_budget(tmp_path: Path) -> None:
    found = measured(written(tmp_path / "app", TURNING), sysfs=RECORDED / "rack").variants[0]
    assert found.energy_j is None
    assert "power_meter needs" in found.energy_note
    assert "--budget" in found.energy_note
