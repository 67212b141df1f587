"""A component that misbehaves as it is told to, once it runs on the platform."""

from __future__ import annotations

import os
import sys
import time

from ecotone import component, output_dir, parameter

trouble = parameter(
    "trouble", "none", help="raise, exit, hang, spin, leak, garbage, interrupt, fork, close, words or none"
)


def _in_a_run() -> bool:
    return (output_dir().parent / "plan.json").exists()


@component(every="20 ms")
class Tick:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


@component(on=Tick, timeout="600 ms", memory="150 MiB")
class Misbehave:
    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def __call__(self, number: int) -> int:
        if number > 20 and _in_a_run() and not (output_dir() / "done").exists():
            self._misbehave(number)
        return number

    def _misbehave(self, number: int) -> None:
        what = trouble.value
        if what == "raise":
            if number % 3 == 0:
                raise RuntimeError("told to raise")
            return
        (output_dir() / "done").touch()
        if what == "exit":
            os._exit(3)
        if what == "hang":
            time.sleep(60)
        if what == "spin":
            while True:
                pass
        if what == "leak":
            for _ in range(100):
                self.kept.append(bytes(bytearray(os.urandom(1)) * 10_000_000))
                time.sleep(0.01)
        if what == "interrupt":
            raise KeyboardInterrupt
        if what == "fork" and os.fork() == 0:
            return  # and so back into the platform's code, in the child
        if what == "close":
            os.close(1)
            os.close(2)
            print("into nothing")
        if what == "words":
            raise RuntimeError("x" * 3_000_000)
        if what == "garbage":
            sys.stdout.buffer.write(bytes(range(256)) * 1000)
            sys.stdout.flush()


@component(on=Misbehave)
def sink(number: int) -> None:
    print("got", number)
