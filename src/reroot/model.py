"""The nouns of the house: plain frozen values, no behaviour beyond themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import NoReturn

NOTHING: Mapping[str, str] = MappingProxyType({})


class Secret:
    """A value that is never shown: its ``repr``, ``str``, format, JSON and pickle are stars.

    >>> f"{Secret('hunter2')}"
    '***'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, ("***",))

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, "_value"):
            self._refuse()
        object.__setattr__(self, name, value)

    def _refuse(self) -> NoReturn:
        raise AttributeError("a secret does not change")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written. Lines and columns count from 1; 0 is "the whole file"."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


# ── files, as the pure half sees them ────────────────────────────────────────────────────────────


class FileState(Enum):
    FOUND = "found"
    MISSING = "missing"
    FOLDER = "folder"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class File:
    """One look at one path: what was there. ``content`` is set only when ``state`` is FOUND.

    For a FOLDER, ``content`` is None and ``entries`` are the names inside.
    """

    path: str
    state: FileState
    content: bytes | None = None
    entries: tuple[str, ...] = ()
    why: str = ""


Files = Callable[[str], File]
"""How the pure half asks for a file of the client's machine: whoever calls it says what a path holds."""


def no_files(path: str) -> File:
    """A machine without files."""
    return File(path, FileState.MISSING)


# ── what a client was given, and what its driver makes of it ─────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Given:
    """A client as found: its driver, what was written for it, and the machine it runs on.

    ``version`` is the driver's; ``runtime`` names what it stands on (``openssl``, ``python``, ``java``, ``libpq`` …).
    ``options`` are the driver's own option names. ``home`` is the folder that stands for the client's home.
    ``host`` is the name it connects to where ``dsn`` and ``options`` name none. Of several hosts, ``only`` names the one in
    question; without it, all of them lead to the same server.
    """

    driver: str
    version: str | None = None
    runtime: Mapping[str, str] = field(default_factory=dict)
    dsn: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    home: str | None = None
    host: str | None = None
    only: str | None = None
    files: Files = no_files


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective setting: ``origin`` is ``dsn``, ``option``, ``environment``, ``service file`` or ``default``."""

    value: str | Secret
    origin: str
    place: Place | None = None

    @property
    def text(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place to connect to. ``host`` is the name that is verified; ``address`` the one dialled, when it differs."""

    host: str = ""
    address: str = ""
    port: str = ""

    @property
    def is_unix_socket(self) -> bool:
        """A socket of this machine; nothing named at all is libpq's default socket."""
        return not self.address and (not self.host or self.host.startswith(("/", "@")))


@dataclass(frozen=True, slots=True)
class Settings:
    """Connection settings as their driver reads them, defaults left out; what we do not know is kept, not dropped."""

    driver: str
    values: Mapping[str, Setting] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = (Endpoint(),)

    def get(self, name: str, default: str = "") -> str:
        """The effective text of a setting that is no secret."""
        setting = self.values.get(name)
        return default if setting is None else setting.text

    def origin(self, name: str) -> str:
        setting = self.values.get(name)
        return "default" if setting is None else setting.origin


class Ask(Enum):
    """When does the client ask the server for TLS?"""

    NEVER = "never"
    IF_NEEDED = "if-needed"
    IF_OFFERED = "if-offered"
    ALWAYS = "always"


class Check(Enum):
    NOTHING = "nothing"
    CHAIN = "chain"
    CHAIN_AND_HOST = "chain-and-host"


class OnDistrust(Enum):
    FAIL = "fail"
    PLAINTEXT = "plaintext"


class Reread(Enum):
    """When does a running client read its trust store again?"""

    EACH_CONNECTION = "each connection"
    AT_START = "at start"
    ON_RELOAD = "on reload"


class RootsFrom(Enum):
    """By which of a driver's ways its roots were chosen."""

    NONE = "none"
    SETTING = "setting"
    ENVIRONMENT = "environment"
    DEFAULT_FILE = "default-file"
    SYSTEM = "system"
    BUNDLED = "bundled"
    CACERTS = "cacerts"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Stack:
    """The TLS stack that judges the chain: a family of path-building rules and what divides its versions.

    ``family`` is ``openssl``, ``java``, ``go``, ``rustls``, ``erlang``, ``dotnet``, ``dotnet-linux`` …;
    ``security_level`` is OpenSSL's (0 to 5),
    None when it is not known.
    """

    family: str
    version: str = ""
    partial_chain: bool = False
    strict: bool = False
    security_level: int | None = None


@dataclass(frozen=True, slots=True)
class RootSource:
    """Where a client's roots come from: ``path`` is a file or folder of the client's machine, ``""`` where there is none.

    ``beside`` are further files that are read where they exist. ``inline`` holds trust material that was written into the
    settings themselves. ``store_type`` and ``password`` open a key store.
    ``adds`` says that these roots stand beside the stack's default roots, ``default``, instead of replacing them.
    """

    origin: RootsFrom = RootsFrom.NONE
    path: str = ""
    reader: str = ""
    beside: tuple[str, ...] = ()
    inline: bytes | None = None
    adds: bool = False
    store_type: str | None = None
    password: Secret | None = None
    default: RootSource | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: ``code`` names a rule, ``text`` says it in plain words, ``source`` says how it is known."""

    code: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What a driver checks before it sends a password, and what it does when it is not satisfied.

    ``names`` is the host-name matcher used, ``""`` when no name is checked.
    ``on_rejection`` is true when a login that the server refuses over one kind of connection is tried over the other.
    ``crls`` are files of revocation lists, ``crl_folder`` a hashed folder of them.
    ``on_no_tls`` says whether a server without TLS gets the login in plaintext (``plaintext``) or not (``fail``).
    ``channel_binding`` is true when the client insists on SCRAM bound to the TLS channel. ``direct`` is TLS without
    PostgreSQL's request for it. ``next_host`` is true when a failed TLS handshake moves on to the next host.
    ``opens_roots`` is true when the trust store is opened, and must load, although the chain is not checked.
    ``socket_is_plain`` is true when TLS plays no part on a unix socket.
    ``is_tls_12`` is true when the settings leave out every version of TLS after 1.2.
    ``blocked`` names what makes every TLS attempt of this client fail before any certificate is judged (an unreadable
    root file …): its code and text. ``refused`` does the same for the connection as a whole.
    ``undecidable`` names a fact that settings cannot tell, with the way to find out.
    """

    ask: Ask
    chain: bool = False
    names: str = ""
    on_distrust: OnDistrust = OnDistrust.FAIL
    on_rejection: bool = False
    on_no_tls: OnDistrust = OnDistrust.FAIL
    next_host: bool = False
    direct: bool = False
    channel_binding: bool = False
    roots: RootSource = RootSource()
    crls: tuple[str, ...] = ()
    crl_folder: str = ""
    stack: Stack = Stack("openssl")
    reread: Reread = Reread.EACH_CONNECTION
    is_tls_12: bool = False
    blocked: Reason | None = None
    socket_is_plain: bool = True
    opens_roots: bool = False
    refused: Reason | None = None
    undecidable: Reason | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def reads_roots(self) -> bool:
        """Whether a TLS attempt reads the trust store at all."""
        return self.chain or self.opens_roots

    @property
    def check(self) -> Check:
        if not self.chain:
            return Check.NOTHING
        return Check.CHAIN_AND_HOST if self.names else Check.CHAIN


# ── servers ──────────────────────────────────────────────────────────────────────────────────────


class Accepts(Enum):
    """Which logins a server takes: the first three as in ``pg_hba.conf`` with TLS on, the last without TLS."""

    HOSTSSL = "hostssl"
    HOST = "host"
    HOSTNOSSL = "hostnossl"
    NO_TLS = "no-tls"


@dataclass(frozen=True, slots=True)
class Server:
    """What is known of a server's TLS. None is "not known", and leads to UNKNOWN where it matters."""

    accepts: Accepts | None = None
    version: int | None = None
    authentication: str | None = None


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


class Outcome(Enum):
    """What a client gets from a server."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    PLAINTEXT = "plaintext"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Verdict(Enum):
    """What a rotation does to a client."""

    READY = "ready"
    BREAKS = "breaks"
    LOSES_TLS = "loses-tls"
    NOT_VERIFYING = "not-verifying"
    PLAINTEXT = "plaintext"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An outcome with the reasons for it."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one client and one server, with both outcomes and every reason."""

    client: str
    server: str
    verdict: Verdict
    now: Foreseen
    then: Foreseen
    reasons: tuple[Reason, ...] = ()


# ── evidence ─────────────────────────────────────────────────────────────────────────────────────


class Strength(Enum):
    """How strong a piece of evidence is, weakest first."""

    DECLARED = "declared"
    REHEARSED = "rehearsed"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something found, probed, seen, rehearsed or read, with its source and time.

    ``kind`` is ``setting``, ``trust-store``, ``served-chain``, ``session``, ``refusal`` (of a login or a certificate), ``window`` (in
    which it was looked), ``outgoing`` (where a server itself connects to), ``log`` (that was read), ``rehearsal``, ``restart`` or
    ``unreadable``; ``subject`` is whom it is about (a client, an endpoint, a file); ``facts`` are plain JSON values without secrets.
    """

    kind: str
    subject: str
    source: str
    seen_at: datetime
    strength: Strength
    facts: Mapping[str, object] = field(default_factory=dict)
