"""What annotations cost: checking 100 components, a decorated call, `import ecotone`. Prints medians and goals."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from _table import median, show

from ecotone.design import check

COMPONENTS = 100
GOAL_CHECK_MS = 50.0
GOAL_CALL_US = 2.0
GOAL_IMPORT_MS = 50.0


def application_text(count: int) -> str:
    """A camera and what follows it, with variants, paths, classes and every sort of requirement here and there."""
    rng = random.Random(7)
    parts = [
        '"""A large application."""\n\nfrom __future__ import annotations\n',
        "from ecotone import component, parameter, path, variant\n",
        'bound = parameter("bound", "30 ms")\nEDGES = ["device", "edge"]\nFrame = bytes\n',
        '@component(every="40 ms", live=True, private=EDGES, layers="device")\n'
        'def stage_0() -> Frame:\n    return b""\n',
    ]
    for number in range(1, count):
        before = f"stage_{rng.randrange(max(0, number - 5), number)}"
        extra = rng.choice(["", "memory='64 MiB', ", "throughput='25 items/s', ", "labels={}, ", "attempts=5, "])
        if number % 3:
            parts.append(
                f"@component(on={before}, latency=bound, percentile=95, {extra}capacity=32)\n"
                f"def stage_{number}(item: Frame) -> Frame | None:\n"
                f'    """Stage {number}."""\n'
                "    total = 0\n    for index, value in enumerate(item):\n        total += value * index\n"
                "    return bytes([total % 256]) if total else None\n"
            )
        else:
            parts.append(
                f"@component(on={before!r}, {extra}name='stage_{number}', stateful=True, snapshot_every='1 s',\n"
                "    variants=[variant('large', width=640, height=288), variant('small', width=320, height=160)])\n"
                f"class Stage{number}:\n"
                "    def __init__(self, width: int, height: int) -> None:\n        self.size = (width, height)\n\n"
                "    def __call__(self, item: Frame) -> Frame:\n        return item[: self.size[0]]\n\n"
                "    def snapshot(self) -> object:\n        return self.size\n\n"
                "    def restore(self, state: object) -> None:\n        self.size = state\n"
            )
            parts.append(f"stage_{number} = Stage{number}\n")
            parts.append(f"path({before!r}, Stage{number}, latency='200 ms')\n")
    return "\n\n".join(parts)


def check_ms(repetitions: int = 25) -> float:
    """CPU time of one check in process, application and default continuum, files read each time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.py"
        file.write_text(application_text(COMPONENTS))
        result = check(file)
        assert not result.problems, result.problems[0]
        assert result.application is not None
        assert len(result.application.components) == COMPONENTS
        times: list[float] = []
        for _ in range(repetitions):
            started = time.process_time()
            check(file)
            times.append((time.process_time() - started) * 1e3)
    return median(times)


def call_us(repetitions: int = 15, calls: int = 200_000) -> float:
    """What a decorated call costs above the same call undecorated."""
    module = ModuleType("calls")
    text = (
        "from ecotone import component\n\n\ndef plain(item):\n    return item\n\n\n"
        "@component(request=True)\ndef decorated(item):\n    return item\n"
    )
    exec(compile(text, "calls.py", "exec"), vars(module))  # a module of its own, as an author's is
    differences: list[float] = []
    for _ in range(repetitions):
        both = [_time_calls(function, calls) for function in (module.plain, module.decorated)]
        differences.append((both[1] - both[0]) / calls * 1e6)
    return median(differences)


def _time_calls(function: object, calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        function(1)  # type: ignore[operator]
    return time.process_time() - started


def import_ms(statement: str, repetitions: int = 15) -> float:
    """CPU time of an import in a fresh process that has been started already."""
    code = f"import time\nstarted = time.process_time()\n{statement}\nprint(time.process_time() - started)"
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(repetitions)]
    return median([float(each.stdout) * 1e3 for each in runs])


def main() -> None:
    author = "from ecotone import component, parameter, path, variant"
    show(
        "Annotations (medians of CPU time)",
        ("what", "measured", "goal"),
        [
            (f"check {COMPONENTS} components, in process", f"{check_ms():.1f} ms", f"<= {GOAL_CHECK_MS:g} ms"),
            ("a decorated call, above an undecorated one", f"{call_us():+.3f} us", f"<= {GOAL_CALL_US:g} us"),
            ("import ecotone", f"{import_ms('import ecotone'):.1f} ms", f"<= {GOAL_IMPORT_MS:g} ms"),
            (author, f"{import_ms(author):.1f} ms", "-"),
        ],
    )


if __name__ == "__main__":
    main()
