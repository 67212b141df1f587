"""For the tests of agent and controller: numbers, a worker that misbehaves when it is told to, and requests."""

from __future__ import annotations

import os
import subprocess
import threading
import time

from ecotone import component, output_dir, parameter

period = parameter("period", "10 ms")
trouble = parameter("trouble", "")

print("imported with trouble", trouble.value)
if trouble.value == "threads":
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
if trouble.value == "import":
    raise ImportError("a library is missing")


@component(every=period, stateful=True, snapshot_every="100 ms")
class Numbers:
    def __init__(self) -> None:
        self.next = 0

    def __call__(self) -> int:
        self.next += 1
        return self.next

    def snapshot(self) -> int:
        return self.next

    def restore(self, state: int) -> None:
        self.next = state


@component(on=Numbers, timeout="1 s", memory="600 MiB")
class Work:
    def __init__(self) -> None:
        if trouble.value == "helper":
            subprocess.Popen(["sleep", "600"])
        if trouble.value == "detached":
            subprocess.Popen(["sleep", "600"], start_new_session=True)
        if trouble.value == "start":
            raise ValueError("no model here")
        self.hoard: list[bytes] = []

    def __call__(self, number: int) -> int:
        if trouble.value == "hang" and number == 50 and not (output_dir() / "hung").exists():
            (output_dir() / "hung").touch()
            time.sleep(600)
        if trouble.value == "leak" and len(self.hoard) < 8:
            self.hoard.append(os.urandom(100_000_000))
        if trouble.value == "flood":
            print("x" * 400_000)
        if trouble.value == "poison" and number % 50 == 0:
            raise ValueError("I do not like this one")
        return number


@component(on=Work)
class Sink:
    def __init__(self) -> None:
        self.file = os.open(output_dir() / "numbers.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def __call__(self, number: int) -> None:
        os.write(self.file, b"%d\n" % number)


@component(request=True, timeout="2 s")
def ask(question: dict[str, int]) -> dict[str, int]:
    if question.get("a") == 0:
        raise ValueError("a must not be 0")
    return {"sum": question["a"] + question["b"]}
