"""The numbers of WASI preview 1: errors, kinds of files, rights. Called by the WASI layer."""

from __future__ import annotations

import errno
import stat

__all__ = ["BADF", "FAULT", "FILE_RIGHTS", "FOLDER_RIGHTS", "INVAL", "NOTSUP", "READ", "SEEK", "WRITE"]
__all__ += ["error_number", "file_kind"]

# The order is that of the standard: the number of an error is its place, from 1.
_ERRORS = """
    2big acces addrinuse addrnotavail afnosupport again already badf badmsg busy canceled child connaborted connrefused
    connreset deadlk destaddrreq dom dquot exist fault fbig hostunreach idrm ilseq inprogress intr inval io isconn isdir
    loop mfile mlink msgsize multihop nametoolong netdown netreset netunreach nfile nobufs nodev noent noexec nolck
    nolink nomem nomsg noprotoopt nospc nosys notconn notdir notempty notrecoverable notsock notsup notty nxio overflow
    ownerdead perm pipe proto protonosupport prototype range rofs spipe srch stale timedout txtbsy xdev notcapable
"""
_PLACES = {name: number for number, name in enumerate(_ERRORS.split(), 1)}
_NUMBERS = {getattr(errno, f"E{name.upper()}"): number for name, number in _PLACES.items() if name != "notcapable"}

BADF, FAULT, INVAL, NOTSUP = (_PLACES[name] for name in ("badf", "fault", "inval", "notsup"))

READ, WRITE = 1 << 1, 1 << 6
SEEK = (1 << 2) | (1 << 5)
FOLDER_RIGHTS = 0x0FFFFE00
FILE_RIGHTS = 0x08E001BD

_KINDS = ((stat.S_ISBLK, 1), (stat.S_ISCHR, 2), (stat.S_ISDIR, 3), (stat.S_ISREG, 4), (stat.S_ISLNK, 7))


def error_number(error: OSError) -> int:
    """WASI's number for an error of the system; `io` for one that it does not know."""
    return _NUMBERS.get(error.errno or 0, _PLACES["io"])


def file_kind(mode: int) -> int:
    """WASI's number for what `st_mode` says; 0 for pipes and the like."""
    return next((number for is_kind, number in _KINDS if is_kind(mode)), 0)
