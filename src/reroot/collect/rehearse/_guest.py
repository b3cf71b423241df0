"""One connection to the stage, from its first byte to its end, without the socket: bytes in, bytes out, one ``Reaction``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ... import wire
from ...errors import InputError
from ...rehearsal import Ending, Reaction
from ._engine import Engine, KeylessEngine, OwnEngine
from ._hello import Hello, read_hello

if TYPE_CHECKING:
    from ._scenes import Scene
    from .through import Upstream

MAX_HELLO = 18_000
"""A ClientHello that does not end within this many bytes is none."""
SHOWN = ("user", "database", "application_name")
"""What is kept of a start-up packet; nothing in one is secret, but ``options`` may hold anything."""
MAX_SHOWN = 128
"""Characters of each; a stranger chooses how long they are."""
GOODBYE = wire.error_response(
    (
        ("S", "FATAL"),
        ("V", "FATAL"),
        ("C", "28000"),
        ("M", "this was a rehearsal: the connection was made, and there is no database behind it"),
    )
)


class Caller(Protocol):
    """Whom the stage is about to play for. ``hello`` is None when the client left before it sent one."""

    @property
    def address(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def hello(self) -> Hello | None: ...


@dataclass(frozen=True, slots=True)
class Onward:
    """A session that goes on to the real server: what the client opened it with, and the TLS that ends here."""

    opening: bytes
    upstream: Upstream
    engine: OwnEngine | None = None


Casting: TypeAlias = "Callable[[Caller], Scene]"
"""Which scene a caller meets."""


class Guest:
    """The client's side of one conversation. After ``take`` look at ``outgoing``, ``hold_ends``, ``reaction`` and ``onward``.

    It opens, is ``_let_in`` to TLS, has an ``_engine`` for as long as TLS lasts, and at the end a ``reaction``.
    """

    __slots__ = (
        "_buffer", "_cast", "_direct", "_engine", "_held_since", "_let_in", "_old", "_scene", "_waited", "address", "hello",
        "hold_ends", "onward", "outgoing", "port", "reaction", "startup",
    )  # fmt: skip

    def __init__(self, address: str, port: int, cast: Casting) -> None:
        self.address = address
        self.port = port
        self.outgoing = b""
        self.hold_ends: float | None = None
        self.reaction: Reaction | None = None
        self.hello: Hello | None = None
        self.startup: wire.StartupMessage | None = None
        self.onward: Onward | None = None
        self._cast = cast
        self._buffer = b""
        self._direct = self._let_in = False
        self._engine: Engine | None = None
        self._scene: Scene | None = None
        self._held_since = 0.0
        self._waited: float | None = None
        self._old = False

    def take(self, data: bytes) -> None:
        """What came; ``b""`` when the client hung up."""
        if self._engine is not None:
            self._converse(self._engine, data)
        elif self.reaction is None:
            if self._let_in:
                self._greet(data)
            else:
                self._open(data)

    def go_on(self) -> None:
        """The hold is over: the proof follows."""
        self.hold_ends = None
        if self._engine is not None:
            self._engine.go_on()
            self._after(self._engine, b"")

    def give_up(self) -> None:
        """The stage's patience is at its end."""
        if self.reaction is None:
            self._finish(Ending.SILENT if self._let_in or self._buffer else Ending.NOT_POSTGRESQL)

    @property
    def is_rehearsed(self) -> bool:
        """Whether it met TLS at all: such a guest weighs more than one that sits in the entrance."""
        return self._engine is not None

    # ── phases ───────────────────────────────────────────────────────────────────────────────────

    def _open(self, data: bytes) -> None:
        if not data:
            self._finish(Ending.NOT_POSTGRESQL)
            return
        self._buffer += data
        try:
            while (found := wire.read_opening(self._buffer)) is not None:
                opening, taken = found
                if not taken:
                    self._direct = self._let_in = True
                    data, self._buffer = self._buffer, b""
                    self._greet(data)
                    return
                self._buffer = self._buffer[taken:]
                if isinstance(opening, wire.GSSENCRequest):
                    self.outgoing += wire.REFUSED
                    if not self._buffer:
                        return
                    continue
                self._turn(opening)
                return
        except InputError:
            self._finish(Ending.NOT_POSTGRESQL)

    def _turn(self, opening: wire.Opening) -> None:
        if isinstance(opening, wire.StartupMessage):
            self.startup = opening
            self._finish(Ending.PLAINTEXT)
            self.outgoing += GOODBYE
        elif isinstance(opening, wire.CancelRequest):
            upstream = self._cast(self).through
            self.onward = Onward(wire.cancel_request(opening.pid, opening.key), upstream) if upstream is not None else None
            self._finish(Ending.CANCEL)
        elif self._buffer:
            self._finish(Ending.NOT_POSTGRESQL)  # bytes before the answer would pass for protected ones (CVE-2021-23214)
        else:
            self.outgoing += wire.ACCEPTED
            self._let_in = True

    def _greet(self, data: bytes) -> None:
        if not data:
            self._finish(Ending.FAILED)
            return
        self._buffer += data
        hello = read_hello(self._buffer)
        if hello is None:
            if self._buffer[0] != 0x16 or len(self._buffer) > MAX_HELLO:
                self._finish(Ending.NOT_POSTGRESQL)
            return
        self.hello = hello
        self._scene = scene = self._cast(self)
        self._old = scene.old_tls and hello.takes_1_2
        self._engine = talk = (KeylessEngine if scene.hold else OwnEngine)(scene, self._old)
        data, self._buffer = self._buffer, b""
        self._converse(talk, data)

    def _converse(self, talk: Engine, data: bytes) -> None:
        plain = talk.feed(data)
        if self.hold_ends is not None and not talk.withholding:
            assert self._scene is not None
            self._waited = (monotonic() - self._held_since) / self._scene.hold
            self.hold_ends = None
        if data:
            self._after(talk, plain)
            return
        if plain:
            self._read_login(talk, plain)
        if self.reaction is None:
            self._conclude(talk)

    def _after(self, talk: Engine, plain: bytes) -> None:
        self.outgoing += talk.outgoing()
        if talk.withholding and self.hold_ends is None:
            assert self._scene is not None
            self._held_since = monotonic()
            self.hold_ends = self._held_since + self._scene.hold
        if plain:
            self._read_login(talk, plain)
        if talk.over and self.reaction is None:
            self._conclude(talk)

    def _read_login(self, talk: Engine, plain: bytes) -> None:
        self._buffer += plain
        try:
            found = wire.read_opening(self._buffer)
        except InputError:
            self._finish(Ending.NOT_POSTGRESQL)
            return
        if found is None:
            return
        opening, _ = found
        upstream = self._scene.through if self._scene is not None else None
        if isinstance(opening, wire.StartupMessage | wire.CancelRequest) and upstream is not None and isinstance(talk, OwnEngine):
            self.onward = Onward(self._buffer, upstream, talk)
            self.startup = opening if isinstance(opening, wire.StartupMessage) else None
            self._finish(Ending.LOGIN if self.startup is not None else Ending.CANCEL)
        elif isinstance(opening, wire.StartupMessage):
            self.startup = opening
            self._finish(Ending.LOGIN)
            talk.say(GOODBYE)
            self.outgoing += talk.outgoing()
        else:
            self._finish(Ending.CANCEL if isinstance(opening, wire.CancelRequest) else Ending.NOT_POSTGRESQL)

    def _conclude(self, talk: Engine) -> None:
        if talk.alert is not None and not (talk.complete and talk.alert == 0):
            self._finish(Ending.ALERT, talk.alert)
        elif talk.complete:
            self._finish(Ending.LEFT)
        else:
            self._finish(Ending.CLOSED)

    def _finish(self, ending: Ending, alert: int | None = None) -> None:
        self.hold_ends = None
        scene = self._scene or self._cast(self)
        version = (self._engine.version or self._likely_version()) if self._engine is not None else ""
        self.reaction = Reaction(scene.act, ending, scene.proof, alert, self._waited, version, self._facts())
        self._engine = None
        self._buffer = b""

    def _likely_version(self) -> str:
        """OpenSSL names no version before the handshake is complete; the better one that both sides take is the one that is met."""
        return "TLSv1.3" if self.hello is not None and self.hello.takes_1_3 and not self._old else "TLSv1.2"

    def _facts(self) -> Mapping[str, object]:
        facts: dict[str, object] = {}
        if (hello := self.hello) is not None:
            facts = {
                "server_name": hello.name,
                "alpn": list(hello.protocols),
                "tls_stack": hello.fingerprint,
                "direct": self._direct,
            }
        if self.startup is not None:
            facts |= {name: value[:MAX_SHOWN] for name in SHOWN if (value := self.startup.get(name))}
        return facts
