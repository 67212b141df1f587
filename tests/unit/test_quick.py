"""What makes commands that run a cell short leaves Python as it was, and forgets nothing at the end."""

from __future__ import annotations

import subprocess
import sys

LOADING = """
import gc, sys
from ecotone._quick import loading
try:
    with loading():
        import msgspec
        assert "typing_extensions" not in sys.modules or sys.modules["typing_extensions"] is None
        raise ImportError("one that is missing")
except ImportError:
    pass
assert gc.isenabled()
import typing_extensions
class Value(msgspec.Struct):
    few: typing_extensions.Annotated[int, msgspec.Meta(gt=0)]
    more: typing_extensions.TypedDict("More", {"name": typing_extensions.NotRequired[str]})
assert msgspec.json.decode(b'{"few": 1, "more": {}}', type=Value).more == {}
"""

LEAVING = """
import atexit, sys
from ecotone._quick import leave
atexit.register(lambda: sys.stdout.write("last"))
sys.stdout.write("first ")
if "thread" in sys.argv:
    import threading, time
    threading.Thread(target=lambda: (time.sleep(0.1), sys.stdout.write("thread "))).start()
leave(7)
sys.exit(8)
"""


def python(program: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


def test_afterwards_modules_are_loaded_as_ever() -> None:
    assert python(LOADING) == (0, "")


def test_the_end_is_complete() -> None:
    assert python(LEAVING) == (7, "first last")
    assert python(LEAVING, "thread") == (8, "first thread last")
