"""What a policy server can do wrong, as a refusal of its own kind."""

from __future__ import annotations

from vla_ros.types import VlaError


class ServerError(VlaError):
    """A server that is not there, too slow, or says what cannot be believed. No chunk comes of it."""
