"""Somebody else's decorator of the same name is not ours."""

from __future__ import annotations

import ecotone as platform


def component(*arguments, **keywords):
    return lambda function: function


@component("not ours", latency="30 kg")
def theirs() -> int:
    return 1


@platform.component(every="1 s")
def ours() -> int:
    return 1
