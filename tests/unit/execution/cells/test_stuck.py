"""A cell that says that it leaves, and stays: its job's time is over when it is over."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import wasmtime

from ecotone.execution.cells import Job
from ecotone.execution.cells._local import LocalJob
from ecotone.execution.cells._moving import StuckError

_STAYS = """
(module
  (import "eco" "shared_bytes" (func $bytes (result i32)))
  (import "eco" "map" (func $map (param i32 i32) (result i32)))
  (import "eco" "safepoint" (func $safe))
  (memory (export "memory") 1100)
  (func (export "asyncify_start_unwind") (param i32))
  (func (export "asyncify_stop_unwind"))
  (func (export "asyncify_start_rewind") (param i32))
  (func (export "asyncify_stop_rewind"))
  (func (export "_start")
    (drop (call $map (i32.const 65536) (call $bytes)))
    (loop $asked (br_if $asked (i32.eqz (i32.and (i32.atomic.load (i32.const 65672)) (i32.const 3)))))
    (call $safe)
    (loop $ever (br $ever))))
"""


def test_cell_that_does_not_leave_is_ended_in_time(tmp_path: Path) -> None:
    module = tmp_path / "stays.wasm"
    module.write_bytes(wasmtime.wat2wasm(_STAYS))
    begun_s = time.monotonic()
    with LocalJob(Job(module=module, time_max_s=2.0)) as running:
        with pytest.raises(StuckError, match="has not done so in time"):
            running.take_out(0, 20.0)
        result = running.wait(20.0)
    assert result is not None
    assert result.exit_code == 137
    assert time.monotonic() - begun_s < 25
