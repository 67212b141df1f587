"""A program of our own that does what programs do when they start. Called by the process that starts jobs for others.

It is compiled when it is needed, which takes a millisecond: nothing of it is kept in files.
"""

from __future__ import annotations

import os
from pathlib import Path

import wasmtime

from ecotone.execution.cells._engine import new_engine
from ecotone.execution.cells._wasmtime import keep_module

__all__ = ["open_rehearsal"]

_PROGRAM = """
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $count_arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $count_environment (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $given_folder (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stream_state (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (import "eco" "shared_bytes" (func $shared_bytes (result i32)))
  (import "eco" "map" (func $map (param i32 i32) (result i32)))
  (import "eco" "moved" (func $moved (result i32)))
  (import "eco" "wake" (func $wake (param i32)))
  (import "eco" "idle" (func $idle (param i32 i32)))
  (import "eco" "yield" (func $yield))
  (memory (export "memory") 2)
  (data (i32.const 0) "memory that is not zero at first")
  (global $stack (export "__stack_pointer") (mut i32) (i32.const 65536))
  (func (export "eco_in_mpi") (result i32) (i32.const 0))
  (func (export "_start") (local $shared i32)
    (drop (call $count_arguments (i32.const 256) (i32.const 260)))
    (drop (call $arguments (i32.const 264) (i32.const 512)))
    (drop (call $count_environment (i32.const 256) (i32.const 260)))
    (drop (call $given_folder (i32.const 3) (i32.const 256)))
    (drop (call $stream_state (i32.const 1) (i32.const 256)))
    (drop (call $time (i32.const 1) (i64.const 1) (i32.const 256)))
    (local.set $shared (i32.shl (memory.grow (i32.shr_u (call $shared_bytes) (i32.const 16))) (i32.const 16)))
    (drop (call $map (local.get $shared) (call $shared_bytes)))
    (call $wake (i32.add (local.get $shared) (i32.const 128)))
    (call $idle (i32.add (local.get $shared) (i32.const 128)) (i32.const 1))
    (call $yield)
    (drop (call $moved))
    (drop (call $write (i32.const 1) (i32.const 256) (i32.const 0) (i32.const 256)))))
"""


def open_rehearsal() -> Path:
    """Compiles the program and keeps it open; what is returned is for `rehearse`, here and in forked processes.

    Raises:
        wasmtime.WasmtimeError: it cannot be compiled or opened.
        OSError: the system has no memory for it.
    """
    compiled = wasmtime.Module(new_engine(compiles_with_threads=False), _PROGRAM).serialize()
    descriptor = os.memfd_create("ecotone-rehearsal", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, compiled)
        path = Path(f"/proc/self/fd/{descriptor}")
        keep_module(path)
    finally:
        os.close(descriptor)
    return path
