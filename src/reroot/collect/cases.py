"""
Questions for ``explain --batch``: one JSON object a line.

    {"id", "driver", "driver_version", "runtime": {…}, "dsn" | "settings": {…}, "env": {…}, "home", "server": {"chain", "accepts"},
     "host", "at"}

``server`` may also name ``version`` (the server's major version) and ``authentication``. Everything but ``driver`` may be absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from ..errors import InputError, TrustStoreError
from ..model import Accepts, Files, FileState, Given, Server
from ..pki import Certificate
from ..truststores import pem
from .machine import look


class ServerPart(msgspec.Struct):
    chain: str | None = None
    accepts: str | None = None
    version: int | None = None
    authentication: str | None = None


class CaseLine(msgspec.Struct):
    driver: str
    id: str | int | None = None
    driver_version: str | int | float | None = None
    runtime: dict[str, str | int | float | None] | None = None
    dsn: str | None = None
    settings: dict[str, object] | None = None
    env: dict[str, str] | None = None
    home: str | None = None
    server: ServerPart | None = None
    host: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One question, ready to be answered."""

    id: str | int | None
    given: Given
    server: Server | None
    chain: tuple[Certificate, ...] | None
    at: datetime


DECODER = msgspec.json.Decoder(CaseLine)


def read(line: bytes, files: Files, now: datetime) -> Case:
    """The question on one line. Raises ``InputError`` for a line that is none."""
    try:
        case = DECODER.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"not a case: {_without_input(str(error))}") from None
    part = case.server
    return Case(
        case.id,
        Given(
            driver=case.driver,
            version=None if case.driver_version is None else str(case.driver_version),
            runtime={name: str(value) for name, value in (case.runtime or {}).items() if value is not None},
            dsn=case.dsn,
            options=case.settings or {},
            env=case.env or {},
            home=case.home,
            host=case.host,
            files=files,
        ),
        None if part is None else Server(_accepts(part.accepts), part.version, part.authentication),
        None if part is None or part.chain is None else chain(part.chain),
        now if case.at is None else moment(case.at),
    )


def _without_input(message: str) -> str:
    """msgspec quotes what it did not like; a line may hold a password, so only the place is kept."""
    head, _, path = message.partition(" - at ")
    kind = head.split(", got")[0].split("`")[0::2]
    return "".join(kind).strip() + (f" at {path}" if path else "")


def line_id(line: bytes) -> object:
    """The ``id`` of a line that could not be read as a case, so that its error can be told apart; None when there is none."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return found.get("id") if isinstance(found, dict) and isinstance(found.get("id"), str | int) else None


def _accepts(word: str | None) -> Accepts | None:
    if word is None:
        return None
    try:
        return Accepts(word)
    except ValueError:
        known = ", ".join(f"`{a.value}`" for a in Accepts)
        raise InputError("`server.accepts` is not a rule", hint=f"one of {known}") from None


@lru_cache(maxsize=4096)
def moment(text: str) -> datetime:
    """An RFC 3339 time; without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError("`at` is not an RFC 3339 time", hint="write it as `2027-01-31T00:00:00Z`") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@lru_cache(maxsize=4096)
def chain(path: str) -> tuple[Certificate, ...]:
    """The certificates of a PEM file as a server would send them, leaf first. Raises ``TrustStoreError``."""
    file = look(path)
    if file.state is not FileState.FOUND:
        raise TrustStoreError(f"the chain cannot be read: {file.why or f'it is a {file.state.value}'}", where=path)
    found = tuple(
        Certificate(block.der) for block in pem.blocks(file.content or b"") if block.is_certificate and block.der is not None
    )
    if not found:
        raise TrustStoreError("the chain holds no certificate", where=path, hint="it wants PEM, leaf first")
    return found
