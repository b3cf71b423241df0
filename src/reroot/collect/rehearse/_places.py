"""Where a program connects to, as far as its command line and environment show it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where the program connects to: the name that it verifies, and the port."""

    host: str
    port: int = 5432

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


_ONE = r"(?:\[[^\]]+\]|[^:/?#,\s@'\"]+)(?::\d+)?"
_URL = re.compile(rf"postgres(?:ql)?(?:\+\w+)?://(?:[^@/\s]*@)?({_ONE}(?:,{_ONE})*)")
_URL_HOST = re.compile(r"(\[[^\]]+\]|[^:,]+)(?::(\d+))?")
_HOST = re.compile(r"(?<![A-Za-z_])host\s*=\s*'?([^'\s,;=]+(?:,[^'\s,;=]+(?=['\s,;]|$))*)", re.IGNORECASE)
_HOSTADDR = re.compile(r"(?<![A-Za-z_])hostaddr\s*=\s*'?([0-9A-Fa-f.:]+)")
_PORT = re.compile(r"(?<![A-Za-z_])port\s*=\s*'?([\d,]+)", re.IGNORECASE)


def places_in(command: Sequence[str], env: Mapping[str, str]) -> tuple[Place, ...]:
    """The hosts that a command line and its environment name, as far as that can be seen; nothing is guessed."""
    found: list[Place] = []
    values = [*command, *(v for k, v in env.items() if not k.startswith(("PG", "REROOT")))]
    for value in values:
        found += [Place(h[1].strip("[]"), int(h[2] or 5432)) for m in _URL.finditer(value) for h in _URL_HOST.finditer(m[1])]
    for word in command:
        host = _HOST.search(word)
        if host is not None and "://" not in word:
            given = _PORT.search(word)
            found += _paired(host[1], given[1] if given else env.get("PGPORT"))
    host_option = _option(command, "-h", "--host")
    port = _option(command, "-p", "--port") or env.get("PGPORT")
    if host_option:
        found += _paired(host_option, port)
    if not found and env.get("PGHOST"):
        found += _paired(env["PGHOST"], port)
    return tuple(dict.fromkeys(p for p in found if not p.host.startswith("/") and 0 < p.port < 65536))


def _paired(hosts: str, ports: str | None) -> list[Place]:
    """libpq's lists: a port for each host, or one for all; a host that is left out would be the real server."""
    names, numbers = hosts.split(","), (ports or "").split(",")
    each = numbers if len(numbers) == len(names) else numbers[:1] * len(names)
    return [Place(name, _number(number)) for name, number in zip(names, each, strict=True) if name]


_LOGIN = {
    "user": re.compile(r"postgres(?:ql)?(?:\+\w+)?://([^:@/\s?]+)(?::[^@/\s]*)?@|(?<![A-Za-z_])user(?:name)?\s*=\s*'?([^'\s,;&]+)"),
    "database": re.compile(
        r"postgres(?:ql)?(?:\+\w+)?://[^/\s]+/([^?\s'\"]+)|(?<![A-Za-z_])(?:dbname|database)\s*=\s*'?([^'\s,;&]+)"
    ),
}


def login_in(command: Sequence[str], env: Mapping[str, str]) -> tuple[str, str]:
    """The user and the database that are named in the same places; ``""`` for what is not."""
    texts = [*command, *(v for k, v in env.items() if not k.startswith(("PG", "REROOT")))]
    user, database = (
        next((m[1] or m[2] for text in texts if (m := shape.search(text)) is not None), "") for shape in _LOGIN.values()
    )
    option = _option(command, "-d", "--dbname")
    named = "" if "=" in option or "://" in option else option
    return _option(command, "-U", "--username") or user or env.get("PGUSER", ""), named or database or env.get("PGDATABASE", "")


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 5432


def _option(command: Sequence[str], short: str, long: str) -> str:
    for i, word in enumerate(command):
        if word in (short, long) and i + 1 < len(command):
            return command[i + 1]
        if word.startswith(f"{long}="):
            return word.partition("=")[2]
        if word.startswith(short) and len(word) > 2 and not word.startswith("--"):
            return word[2:]
    return ""


def addresses_in(command: Sequence[str]) -> tuple[str, ...]:
    """Addresses that libpq is told to go to whatever the host's name means."""
    return tuple(m[1] for word in command for m in _HOSTADDR.finditer(word))


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
