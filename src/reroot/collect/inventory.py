"""
The fleet as its people declare it: ``reroot.toml``.

    [rotation]
    name = "corp-2027"
    old_root = "roots/corp-2019.pem"          # paths are relative to this file
    next_root = "roots/corp-2027.pem"
    soak = "24h"                              # between the last cut-over and the retirement of the old root
    ledger = "reroot.sqlite"                  # or a PostgreSQL URL, for a team

    [[server]]
    name = "db-east"
    host = "db-east.example"                  # the name that clients verify
    address = "10.0.0.7"                      # dialled in its place, where that differs
    port = 5432
    accepts = "hostssl"                       # hostssl, host, hostnossl, no-tls; left out: not known
    wave = 0                                  # lowest first: the canary
    cluster = "east"                          # servers that fail over to each other
    log = "/var/log/postgresql"               # its log, file or folder, where this machine can read it: who refuses is named there
    provider = { kind = "postgres", certificate = "…", key = "…", next_certificate = "…", next_key = "…", data_directory = "…" }

    [[client]]
    name = "orders-api"
    owner = "payments"
    driver = "psycopg"
    version = "3.2.1"
    runtime = { libpq = "17.2" }
    dsn = "host={host} port={port} user=orders sslmode=verify-full sslrootcert=/etc/pki/db.pem"
    settings = { }                            # the driver's own option names, beside or instead of `dsn`
    env_file = "orders.env"                   # NAME=value lines; `env = { … }` says the same here
    home = "homes/orders"                     # the folder that stands for the client's home
    reaches = ["db-east"]
    trust_stores = ["/etc/pki/db.pem"]        # what reroot may change for it
    seen_as = [{ user = "orders", application = "orders-*", address = "10.0.0.0/8" }]   # by what it is recognised when seen
    started = 2027-01-05T08:00:00Z            # when its processes last started, where that is known

    [[waiver]]                                # one person takes the risk of one client
    client = "old-report"
    server = "*"
    by = "ana"
    reason = "switched off on Friday"
    until = 2027-02-01T00:00:00Z
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

from ..errors import InputError
from ..model import Accepts, Files, Given, Secret
from ..pki.certificate import Certificate
from ..plan import DEFAULT_SOAK, Waiver
from .identity import Rule

T = TypeVar("T")
EMPTY: Mapping[str, Any] = MappingProxyType({})
DURATION = re.compile(r"(\d+)([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Rotation:
    name: str
    old_root: str
    next_root: str
    soak: str = f"{DEFAULT_SOAK // timedelta(hours=1)}h"
    ledger: str = "reroot.sqlite"


@dataclass(frozen=True)
class DeclaredServer:
    name: str
    host: str
    port: int = 5432
    address: str = ""
    accepts: Accepts | None = None
    wave: int = 1
    cluster: str = ""
    log: str = ""
    provider: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class DeclaredClient:
    """A client; ``dsn``, ``settings`` and ``env`` may hold secrets and are never shown."""

    name: str
    driver: str
    reaches: tuple[str, ...]
    owner: str = ""
    version: str | None = None
    runtime: Mapping[str, str] = field(default_factory=dict)
    dsn: Secret | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_file: str = ""
    home: str | None = None
    trust_stores: tuple[str, ...] = ()
    seen_as: tuple[Rule, ...] = ()
    started: datetime | None = None


@dataclass(frozen=True)
class Written:
    rotation: Rotation
    server: tuple[DeclaredServer, ...]
    client: tuple[DeclaredClient, ...] = ()
    waiver: tuple[Waiver, ...] = ()


@dataclass(frozen=True)
class Inventory:
    """A fleet, read and checked. ``base`` is the folder that relative paths start from."""

    path: Path
    name: str
    old_root: Certificate
    next_root: Certificate
    soak: timedelta
    ledger: str
    servers: tuple[DeclaredServer, ...]
    clients: tuple[DeclaredClient, ...]
    waivers: tuple[Waiver, ...] = ()

    @property
    def base(self) -> Path:
        return self.path.parent

    def given(self, client: DeclaredClient, server: DeclaredServer, files: Files) -> Given:
        """What the driver of *client* is given when it connects to *server*, on the machine whose *files* are asked for."""
        env = _env_file(self.base / client.env_file) if client.env_file else {}
        address = server.address or server.host

        def fill(text: object) -> object:
            if not isinstance(text, str):
                return text
            return text.replace("{host}", server.host).replace("{port}", str(server.port)).replace("{address}", address)

        return Given(
            driver=client.driver,
            version=client.version,
            runtime=client.runtime,
            dsn=None if client.dsn is None else str(fill(client.dsn.reveal())),
            options={k: fill(v) for k, v in client.settings.items()},
            env={k: str(fill(v)) for k, v in {**env, **client.env}.items()},
            home=None if client.home is None else str((self.base / client.home).absolute()),
            host=server.host,
            only=server.host,
            files=lambda path: files(str(self.base / path)),
        )


def read(path: Path) -> Inventory:
    """The inventory at *path*; ``InputError`` names the file and the key."""
    import tomllib

    where = str(path)
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"there is no `{path}`", hint="write one; `reroot demo` leaves a complete one in `reroot-demo/`"
        ) from None
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", where=where) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"this is not TOML: {error}", where=where) from None
    written = decode(raw, Written, where)
    _refuse_doubles(written, where)
    base = path.absolute().parent
    return Inventory(
        path=path.absolute(),
        name=written.rotation.name,
        old_root=_root(base / written.rotation.old_root, f"{where}: rotation.old_root"),
        next_root=_root(base / written.rotation.next_root, f"{where}: rotation.next_root"),
        soak=_duration(written.rotation.soak, f"{where}: rotation.soak"),
        ledger=written.rotation.ledger,
        servers=written.server,
        clients=written.client,
        waivers=tuple(_with_zone(w) for w in written.waiver),
    )


def decode(raw: Mapping[str, Any], kind: type[T], where: str) -> T:
    """*raw* as the dataclass *kind*; an unknown key is an error that names the nearest known one."""
    import msgspec

    _refuse_unknown(raw, kind, where, "")
    try:
        return msgspec.convert(raw, kind, dec_hook=_secret)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$")
        key = re.sub(r"\[(\d+)\]", lambda n: f"[{int(n[1]) + 1}]", place.rstrip("`").replace("[...]", "")).lstrip(".")
        # The message names types and, for a choice, the value; values of secret-bearing keys are never choices.
        hint = "write `2027-01-31T00:00:00Z`" if "`datetime`" in said else ""
        said = said.replace("`datetime`", "a date with its time").replace("`date`", "a date alone")
        raise InputError(f"`{key}`: {said[:1].lower() + said[1:]}" if key else said, where=where, hint=hint) from None


def _secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError(f"expected a text, got `{type(value).__name__}`")


def _refuse_unknown(raw: object, kind: Any, where: str, path: str) -> None:
    if isinstance(raw, list | tuple):
        inner = [a for a in get_args(kind) if a is not Ellipsis]
        for number, item in enumerate(raw):
            _refuse_unknown(item, inner[0] if inner else None, where, f"{path}[{number + 1}]")
        return
    if not (isinstance(kind, type) and is_dataclass(kind) and isinstance(raw, Mapping)):
        return
    known = [f.name for f in fields(kind)]
    hints = get_type_hints(kind)
    for key, value in raw.items():
        at = f"{path}.{key}".lstrip(".")
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            raise InputError(
                f"unknown key `{at}`",
                where=where,
                hint=f"did you mean `{near[0]}`?" if near else f"known are {', '.join(f'`{k}`' for k in known)}",
            )
        _refuse_unknown(value, hints[key], where, at)
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in needed if name not in raw]
    if missing:
        hint = f"{f'`{path}`' if path else 'an inventory'} needs {', '.join(f'`{name}`' for name in needed)}"
        raise InputError(f"`{f'{path}.{missing[0]}'.lstrip('.')}` is missing", where=where, hint=hint)


def _refuse_doubles(written: Written, where: str) -> None:
    servers = [s.name for s in written.server]
    for kind, names in (("server", servers), ("client", [c.name for c in written.client])):
        doubled = sorted({n for n in names if names.count(n) > 1})
        if doubled:
            raise InputError(f"there are two {kind}s named `{doubled[0]}`", where=where)
    for client in written.client:
        for name in client.reaches:
            if name not in servers:
                near = get_close_matches(name, servers, n=1)
                raise InputError(
                    f"client `{client.name}` reaches `{name}`, which is no server here",
                    where=where,
                    hint=f"did you mean `{near[0]}`?" if near else "",
                )


def _root(path: Path, where: str) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read `{path}`: {error.strerror}", where=where) from None
    except ValueError:
        raise InputError(f"`{path}` holds no readable PEM certificate", where=where) from None
    if len(found) != 1:
        raise InputError(f"`{path}` holds {len(found)} certificates", where=where, hint="a root file holds the one root")
    root = Certificate(found[0].public_bytes(Encoding.DER))
    if not root.is_self_signed or not root.is_ca:
        raise InputError(f"`{root.title}` in `{path}` is no root: it is not a self-signed CA certificate", where=where)
    return root


def _duration(text: str, where: str) -> timedelta:
    found = DURATION.fullmatch(text)
    if found is None:
        raise InputError(f"`{text}` is not a duration", where=where, hint="write `30s`, `15m`, `24h` or `7d`")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _with_zone(waiver: Waiver) -> Waiver:
    until = waiver.until if waiver.until.tzinfo else waiver.until.replace(tzinfo=UTC)
    return Waiver(waiver.client, waiver.server, waiver.by, waiver.reason, until)


def _env_file(path: Path) -> Mapping[str, str]:
    """``NAME=value`` lines, with or without ``export`` and quotes; nothing is expanded."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read `{path}`: {error}", where=str(path)) from None
    found = {}
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            found[name.strip()] = value[1:-1] if quoted else value
    return found
