"""Names as types, so that a node's name cannot be passed where an instance's belongs; the rules for valid names."""

from __future__ import annotations

import re
from typing import NewType

__all__ = ["ComponentName", "InstanceId", "ItemId", "NodeName", "SiteName", "instance_id", "is_name", "output_id"]

ComponentName = NewType("ComponentName", str)
NodeName = NewType("NodeName", str)
SiteName = NewType("SiteName", str)
InstanceId = NewType("InstanceId", str)
ItemId = NewType("ItemId", str)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}\Z")


def is_name(text: str) -> bool:
    """Whether `text` may name a component, site, node type or parameter: a letter, then letters, digits, `-`, `_`."""
    return _NAME.match(text) is not None


def instance_id(component: str, node: str, replica: int) -> InstanceId:
    """The id of one running copy; stable across restarts and re-plans. `replica` counts from 0 on each node."""
    return InstanceId(f"{component}.{node}.{replica}")


def output_id(component: str, input_id: str, index: int) -> ItemId:
    """The id of the `index`-th output for one input: the same again when the input is handled again, so that
    consumers and streams can tell a repeat from a new item."""
    return ItemId(f"{component}/{index}<{input_id}")
