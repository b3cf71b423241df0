"""Where to probe, as people write it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError
from ._names import literal


@dataclass(frozen=True, slots=True)
class Target:
    """Where to look. ``host`` is the name asked for; ``address`` is dialled instead of what the name resolves to."""

    host: str
    port: int = 5432
    address: str = ""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_PORT = re.compile(r"[0-9]{1,5}")


def parse_target(text: str) -> Target:
    """``HOST``, ``HOST:PORT``, ``ADDRESS``, ``[ADDRESS]:PORT``; the port is 5432 where none is given."""
    if "://" in text or "=" in text:
        raise InputError(f"`{_without_password(text)}` is not a host", hint="give `HOST` or `HOST:PORT`")
    if text.startswith(("/", "@")):
        raise InputError(f"`{text}` is a unix socket, and PostgreSQL has no TLS there", hint="give `HOST` or `HOST:PORT`")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and rest[0] != ":") or ":" not in host:
            raise InputError(f"`{text}` is not a host", hint="an IPv6 address with a port is written `[::1]:5432`")
        colon, port = rest[:1], rest[1:]
    elif text.count(":") > 1:
        host, colon, port = text, "", ""
    else:
        host, colon, port = text.partition(":")
    if ":" in host and literal(host) is None:
        raise InputError(f"`{host}` is not an IPv6 address")
    if not host or any(c.isspace() or not c.isprintable() for c in host):
        raise InputError(f"`{text}` names no host", hint="give `HOST` or `HOST:PORT`")
    if colon and not (_PORT.fullmatch(port) and 0 < int(port) < 65536):
        raise InputError(f"`{port}` is not a port", where=text, hint="a port is a number from 1 to 65535")
    return Target(literal(host) or host.rstrip(".").lower(), int(port) if colon else 5432)


def _without_password(text: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", re.sub(r"(?i)(password\s*=\s*)('[^']*'|\S+)", r"\1***", text))
