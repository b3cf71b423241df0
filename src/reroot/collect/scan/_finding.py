"""What a scan finds, as plain values that travel between processes and into a cache. None of them holds a password."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar


@dataclass(slots=True)
class Spot:
    """Where one part of a finding stands: characters of the whole file, and the line for people."""

    start: int
    end: int
    line: int


@dataclass(slots=True)
class Finding:
    """One place that decides, or should decide, how a client checks its server.

    ``level`` is ``error`` (a rotation hurts here), ``warning`` (a weakness, or not decidable) or ``note`` (good to know).
    ``settings`` are the TLS options as the driver would read them; ``spots`` where ``mode`` and ``roots`` stand, for fixes.
    ``refers`` names the variables that decide; ``joined`` the places that give them a value: path, line, value.
    """

    path: str
    line: int
    column: int
    kind: str
    rule: str
    text: str
    line_end: int = 0
    level: str = "warning"
    driver: str | None = None
    wrapper: str | None = None
    version: str | None = None
    candidates: tuple[str, ...] = ()
    """The drivers it may be, while ``driver`` is not known: what they all agree on is known."""
    mode: str | None = None
    roots: str | None = None
    decidable: bool = True
    environment: str | None = None
    name: str = ""
    host: str = ""
    form: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    in_dsn: tuple[str, ...] = ()
    """Which of the settings stand in the connection string itself."""
    refers: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """Variables that hold the connection string, while the TLS options stand here."""
    spots: dict[str, Spot] = field(default_factory=dict)
    joined: list[tuple[str, int, str]] = field(default_factory=list)
    policy: dict[str, object] | None = None
    verdict: str | None = None
    unbelieved: bool = False
    """Does the rule say that the client survives, while another driver or version that it may be does not?"""
    vendored: bool = False
    holds_next: bool | None = None
    """Does the trust store it refers to hold the next root? None when that is not known."""
    fingerprint: str = ""


@dataclass(slots=True)
class Definition:
    """A variable that is given a value somewhere; kept only when the value is no secret."""

    name: str
    value: str
    path: str
    line: int
    plain: bool
    decides: str = ""


@dataclass(slots=True)
class Copied:
    """A file put to another path: ``COPY``, ``ADD``, a mount, a download. ``source`` may be an address."""

    source: str
    target: str
    path: str
    line: int


@dataclass(slots=True)
class Store:
    """A trust store, or a file that may be one: what it holds. ``known`` names the families of its roots."""

    path: str
    line: int
    line_end: int
    form: str
    count: int
    roots: int
    subjects: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    leafs: int = 0
    intermediates: int = 0
    name: str = ""
    vendored: bool = False
    beside: bool = False
    """Pasted into code that connects to PostgreSQL and to nothing else."""
    failed: str = ""


@dataclass(slots=True)
class Limit:
    """Something the scan gave up on: the answer is not the whole."""

    path: str
    why: str


@dataclass(slots=True)
class Harvest:
    """All that one file gave."""

    findings: list[Finding] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    copies: list[Copied] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    drivers: list[tuple[str, str, str]] = field(default_factory=list)
    """From a manifest of dependencies: driver, version as written, wrapper."""
    limits: list[Limit] = field(default_factory=list)
    ignores: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Inline ignores: line, rule, end date, reason."""

    def empty(self) -> bool:
        return not (
            self.findings or self.definitions or self.copies or self.stores or self.drivers or self.limits or self.ignores
        )


Thing = TypeVar("Thing")


def printable(value: Any) -> Any:
    """*value* with each lone surrogate in its strings (bytes that were no UTF-8) as a visible escape."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {printable(k): printable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(v) for v in value]
    return value


def packed(thing: object) -> bytes:
    """*thing* for a pipe or a cache."""
    import msgspec

    encode = msgspec.msgpack.Encoder().encode
    try:
        return encode(thing)
    except UnicodeEncodeError:
        return encode(printable(msgspec.to_builtins(thing, str_keys=False)))


def unpacked(data: bytes, kind: type[Thing]) -> Thing:
    """What ``packed`` made; ``ValueError`` when it is damaged."""
    import msgspec

    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
