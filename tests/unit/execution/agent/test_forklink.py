"""The agent's end of the fork server."""

from __future__ import annotations

import socket

import pytest

from ecotone.execution.agent.forklink import _next_message


def test_last_words_are_heard_though_something_was_left_unread() -> None:
    """A server that cannot be used says so and exits, while the agent has asked for hosts already."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        ours.setblocking(False)
        ours.send(b"start a host")
        theirs.send(b"not usable")
        theirs.close()
        assert _next_message(ours) == b"not usable"
        assert _next_message(ours) == b""


def test_an_open_end_without_a_message_is_not_taken_for_a_closed_one() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            _next_message(ours)
