"""Requests over HTTP: `POST /<component>` with a JSON or msgpack body becomes a request on the bus.

Opened by the controller for applications that have components with a request trigger; `status` prints its address.
Small on purpose: HTTP/1.1 with keep-alive and Content-Length, on the loopback interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

__all__ = ["Gateway"]

_BODY_BYTES_MAX = 512 * 1024
_HEADER_LIMIT_S = 30.0
_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required",
    413: "Content Too Large", 500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip
