"""
The server's side of TLS without a socket: one engine on OpenSSL for chains whose key we hold, one on tlslite for all others.

OpenSSL refuses a key that does not belong to its certificate and sends its whole flight at once. tlslite-ng signs with any key, and
its flight can be cut before the proof: CertificateVerify in TLS 1.3, ServerKeyExchange in TLS 1.2.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from ...rehearsal import ALERTS
from ...wire import ALPN

if TYPE_CHECKING:
    from ._scenes import Scene

MIDDLEBOX = b"\x14\x03\x03\x00\x01\x01"
"""The lone ChangeCipherSpec that Java sends for the sake of middleboxes: not an answer."""
RECORD = 16_384
"""Most bytes of one record; a start-up packet may come in several."""


class Engine(Protocol):
    """``complete`` is set when the handshake is; ``over`` when it cannot be any more, with the client's ``alert`` if one came.

    ``withholding`` is true from the moment the chain is sent until ``go_on`` is called.
    """

    complete: bool
    over: bool
    alert: int | None

    @property
    def withholding(self) -> bool: ...

    def feed(self, data: bytes) -> bytes:
        """Takes what came (``b""``: the client hung up), gives what came of it in clear."""
        ...

    def outgoing(self) -> bytes: ...

    def go_on(self) -> None: ...

    def say(self, data: bytes) -> None: ...

    @property
    def version(self) -> str: ...


# ── with the key: OpenSSL ────────────────────────────────────────────────────────────────────────


class OwnEngine:
    """OpenSSL over memory."""

    __slots__ = ("_in", "_out", "_tls", "alert", "complete", "outgoing", "over", "withholding")

    def __init__(self, scene: Scene, old_tls: bool) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.outgoing = self._out.read
        self._tls = _context(scene, old_tls).wrap_bio(self._in, self._out, True)
        self.withholding = False
        self.complete = self.over = False
        self.alert: int | None = None

    def feed(self, data: bytes) -> bytes:
        if not data:
            self.over = True  # whatever it had said before was read when it came
            return b""
        self._in.write(data)
        plain = b""
        try:
            if not self.complete:
                self._tls.do_handshake()
                self.complete = True
            while self._in.pending and (found := self._tls.read(RECORD)):
                plain += found
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.over = True
            self.alert = _alert(error)
        return plain

    def go_on(self) -> None:
        """Nothing is withheld here."""

    def say(self, data: bytes) -> None:
        with suppress(ssl.SSLError):
            self._tls.write(data)
            self._tls.unwrap()

    def surrender(self) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        """The session and its two ends, for who goes on with it."""
        return self._tls, self._in, self._out

    @property
    def version(self) -> str:
        return self._tls.version() or ""


def _context(scene: Scene, old_tls: bool) -> ssl.SSLContext:
    name = "openssl, TLS 1.2" if old_tls else "openssl"
    found: ssl.SSLContext | None = scene.prepared.get(name)
    if found is None:
        found = scene.prepared[name] = _new_context(scene, old_tls)
    return found


def _new_context(scene: Scene, old_tls: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a weak chain is the client's to judge
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if old_tls:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN])
    with _pipe(scene.chain_pem) as chain, _pipe(scene.key_pem) as key:
        context.load_cert_chain(chain.path, key.path)
    return context


class _pipe:
    """Bytes under a path that no file stands behind: OpenSSL takes names only, and a key belongs on no disk."""

    def __init__(self, content: bytes) -> None:
        self._read, write = os.pipe()
        try:
            os.set_blocking(write, False)
            os.write(write, content)  # 64 KiB fit; a chain that does not is refused by load_cert_chain
        finally:
            os.close(write)
        self.path = f"/dev/fd/{self._read}"

    def __enter__(self) -> _pipe:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._read)


_BY_NAME = {name.upper(): number for number, name in ALERTS.items()}


def _alert(error: ssl.SSLError) -> int | None:
    """The client's alert, from OpenSSL's name of it: TLSV1_ALERT_UNKNOWN_CA, SSLV3_ALERT_BAD_CERTIFICATE …"""
    _, _, name = (error.reason or "").partition("_ALERT_")
    return _BY_NAME.get(name)


# ── without the key, or with a proof that comes late: tlslite ────────────────────────────────────


class _Memory:
    """What tlslite takes for a socket."""

    def __init__(self) -> None:
        self.incoming = bytearray()
        self.out = bytearray()
        self.ended = False

    def recv(self, size: int) -> bytes:
        if not self.incoming:
            if self.ended:
                return b""
            raise BlockingIOError(11, "nothing yet")
        found = bytes(self.incoming[:size])
        del self.incoming[:size]
        return found

    def send(self, data: bytes) -> int:
        self.out += data
        return len(data)

    sendall = send

    def close(self) -> None:
        """Whoever owns the real socket closes it."""


def _load_tlslite() -> None:
    """Its first import warns of a module of Python's that it would use elsewhere."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import tlslite  # noqa: F401


@lru_cache(maxsize=1)
def _connection_class() -> type[Any]:
    """tlslite's connection, whose flight stops before the proof."""
    _load_tlslite()
    from tlslite.messages import Certificate, CertificateVerify, Message
    from tlslite.tlsconnection import TLSConnection

    class Connection(TLSConnection):  # type: ignore[misc]
        withholding = False
        hold = True
        _cut: int | None = None
        _buffer: bytearray

        def _queue_message(self, message: Any) -> None:
            if self.hold and isinstance(message, CertificateVerify):
                self._cut = len(self._buffer)
            super()._queue_message(message)

        def _queue_flush(self) -> Iterator[Any]:  # TLS 1.3: … Certificate | CertificateVerify, Finished
            if self._cut is not None:
                cut, self._cut = self._cut, None
                yield from self._sendMsg(Message(self._buffer_content_type, self._buffer[:cut]), update_hashes=False)
                self._buffer = self._buffer[cut:]
                yield from self._wait()
            yield from super()._queue_flush()

        def _sendMsgs(self, messages: Any) -> Iterator[Any]:  # TLS 1.2: ServerHello, Certificate | ServerKeyExchange, Done
            at = next((n for n, m in enumerate(messages) if isinstance(m, Certificate)), None)
            if at is None or not self.hold:
                yield from super()._sendMsgs(messages)
                return
            yield from super()._sendMsgs(messages[: at + 1])
            yield from self._wait()
            yield from super()._sendMsgs(messages[at + 1 :])

        def _wait(self) -> Iterator[int]:
            self.withholding = True
            while self.withholding:
                yield 0

    return Connection


def _for_tlslite(scene: Scene) -> tuple[Any, Any]:
    if "tlslite" not in scene.prepared:
        scene.prepared["tlslite"] = _chain_and_key(scene)
    found: tuple[Any, Any] = scene.prepared["tlslite"]
    return found


def _chain_and_key(scene: Scene) -> tuple[Any, Any]:
    from tlslite.utils.keyfactory import parsePEMKey
    from tlslite.x509 import X509
    from tlslite.x509certchain import X509CertChain

    chain = []
    for der in scene.chain:
        one = X509()
        one.parseBinary(bytearray(der))
        chain.append(one)
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import rsa

    old = s.PrivateFormat.TraditionalOpenSSL if isinstance(scene.key, rsa.RSAPrivateKey) else s.PrivateFormat.PKCS8
    pem = scene.key.private_bytes(s.Encoding.PEM, old, s.NoEncryption()).decode()
    return X509CertChain(chain), parsePEMKey(pem, private=True)


class KeylessEngine:
    """tlslite over memory: any chain, any key, and a pause before the proof."""

    __slots__ = ("_handshake", "_memory", "_reader", "_tls", "alert", "complete", "over")

    def __init__(self, scene: Scene, old_tls: bool) -> None:
        _load_tlslite()
        from tlslite.handshakesettings import HandshakeSettings

        chain, key = _for_tlslite(scene)
        settings = HandshakeSettings()
        settings.minVersion, settings.maxVersion = (3, 3), (3, 3) if old_tls else (3, 4)
        settings.minKeySize, settings.ticket_count = 1023, 0
        self._memory = _Memory()
        self._tls = _connection_class()(self._memory)
        self._tls.ignoreAbruptClose = False
        # ALPN always: without it tlslite 0.8.2 stumbles over TLS 1.3 clients that offer one.
        self._handshake = self._tls.handshakeServerAsync(
            certChain=chain, privateKey=key, settings=settings, alpn=[bytearray(ALPN.encode())]
        )
        self._reader: Iterator[Any] | None = None
        self.complete = self.over = False
        self.alert: int | None = None

    @property
    def withholding(self) -> bool:
        return bool(self._tls.withholding)

    def feed(self, data: bytes) -> bytes:
        if not data:
            self._memory.ended = True
        elif self.withholding and data == MIDDLEBOX:
            self._memory.incoming += data
            return b""
        self._memory.incoming += data
        if self.withholding:
            self._tls.withholding = False
        return self._drive()

    def go_on(self) -> None:
        self._tls.withholding = False
        self._drive()

    def _drive(self) -> bytes:
        from tlslite.errors import TLSError, TLSRemoteAlert

        if self.over:
            return b""
        plain = bytearray()
        try:
            if not self.complete:
                for _ in self._handshake:
                    if self.withholding or not (self._memory.incoming or self._memory.ended):
                        return b""
                self.complete = True
            self._read(plain)
            return bytes(plain)
        except TLSRemoteAlert as alert:
            self.alert = alert.description
        except (TLSError, OSError, ValueError, TypeError, IndexError, AssertionError, SyntaxError, AttributeError, KeyError):
            pass  # hostile bytes may stumble anywhere in it; the connection is over all the same
        self.over = True
        return bytes(plain)

    def _read(self, plain: bytearray) -> None:
        """All records that have come; the last may not be whole. tlslite keeps some in a buffer of its own: it has to say that it waits."""
        while not self.over:
            if self._reader is None:
                self._reader = self._tls.readAsync(RECORD, 1)
            for found in self._reader:
                if not isinstance(found, int):
                    plain += found
                    self._reader, self.over = None, not found
                    break
                if not (self._memory.incoming or self._memory.ended):
                    return
            else:
                self.over = True

    def outgoing(self) -> bytes:
        found = bytes(self._memory.out)
        self._memory.out.clear()
        return found

    def say(self, data: bytes) -> None:
        with suppress(Exception):
            for _ in self._tls.writeAsync(data):
                pass
            for _ in self._tls.closeAsync():
                break

    @property
    def version(self) -> str:
        return {(3, 3): "TLSv1.2", (3, 4): "TLSv1.3"}.get(self._tls.version, "")
