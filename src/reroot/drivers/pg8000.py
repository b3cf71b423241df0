"""
pg8000 1.14 to 1.31: one argument, ``ssl_context``, whose meaning turned round in 1.31.

Until then None was plaintext and True verified chain and name against the system's roots. As of 1.31 None takes TLS where it
is offered, True insists on it, and neither verifies anything: the same line of code, and no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, OnDistrust, Reason, Reread, Secret, Setting, Settings, TrustPolicy
from . import _pyssl
from ._driver import Driver, numbered

SOURCE = "pg8000/core.py CoreConnection.__init__(), _make_socket() of 1.14 to 1.31; run with 1.19.5, 1.30.5, 1.31.0 and 1.31.6"

FIRST, TURN, END = (1, 14), (1, 31), (1, 32)
CANDIDATES = ("1.31", "1.30")

# Arguments of pg8000.connect() and pg8000.native.Connection().
ARGUMENTS = frozenset(
    {
        "user", "host", "database", "port", "password", "source_address", "unix_sock", "ssl_context", "timeout", "tcp_keepalive",
        "application_name", "replication", "startup_params", "sock", "max_prepared_statements",
    }
)  # fmt: skip


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return tuple(replace(given, version=version) for version in CANDIDATES)
    return (given,) if FIRST <= numbered(given.version) < END else ()


def read(given: Given) -> Settings:
    """Keyword arguments and nothing else: no DSN, no environment, no file."""
    if given.dsn is not None:
        raise SettingsError("pg8000 takes keyword arguments, and no connection string")
    options = {name: value for name, value in given.options.items() if value is not None}
    for name in options:
        if name not in ARGUMENTS:
            raise SettingsError(f"connect() got an unexpected keyword argument '{name}'")
    values = {name: _setting(name, value) for name, value in options.items()}
    if "unix_sock" in options:
        return Settings(given.driver, values, {}, (Endpoint(host=str(options["unix_sock"])),))
    port = str(options.get("port", "5432"))
    if not port.isascii() or not port.isdigit():
        raise SettingsError("the port is not a number")
    host = str(options.get("host", given.host or "localhost"))
    return Settings(given.driver, values, {}, (Endpoint(host=host or "localhost", port=port),))


def _setting(name: str, value: object) -> Setting:
    if name == "ssl_context" and isinstance(value, Mapping):
        return Setting(f"SSLContext from {value.get('from')}", "option")
    text = value.reveal() if isinstance(value, Secret) else str(value)
    return Setting(Secret(text) if name == "password" else text, "option")


def policy(given: Given, settings: Settings) -> TrustPolicy:
    turned = numbered(given.version) >= TURN
    written = given.options.get("ssl_context")
    over_socket = settings.endpoints[0].is_unix_socket
    base = TrustPolicy(Ask.ALWAYS, stack=_pyssl.stack(given, default_context=True))
    if isinstance(written, Mapping):
        found = _checked(base, _pyssl.described(given, written), "an SSLContext was given")
    elif written is True:
        found = _reasoned(base, "does-not-verify", "ssl_context=True: nothing is checked as of 1.31") if turned else _checked(
            base, _pyssl.default_context(given), "ssl_context=True"
        )
    elif written is None:
        found = _unset(base, turned)
    elif written is False and turned:
        found = _reasoned(replace(base, ask=Ask.NEVER), "tls-not-asked", "ssl_context=False: TLS is never asked for")
    else:
        wrong = Reason("ssl-context", f"`{type(written).__name__}` is no SSLContext, and the connection ends when it is used as one", SOURCE)
        found = replace(base, refused=wrong)
    if over_socket and found.ask is Ask.ALWAYS and found.refused is None:
        found = replace(found, refused=Reason("server-without-tls", "Server refuses SSL: there is none on a unix socket", SOURCE))
    return replace(found, socket_is_plain=found.refused is None)


def _unset(base: TrustPolicy, turned: bool) -> TrustPolicy:
    if not turned:
        return _reasoned(replace(base, ask=Ask.NEVER), "tls-not-asked", "ssl_context is not set: TLS is never asked for before 1.31")
    text = "ssl_context is not set: TLS where the server offers it, and nothing is checked"
    return _reasoned(replace(base, ask=Ask.IF_OFFERED, on_no_tls=OnDistrust.PLAINTEXT), "does-not-verify", text)


def _checked(base: TrustPolicy, context: _pyssl.Context, said: str) -> TrustPolicy:
    what = "chain and host name are checked" if context.names else "the chain is checked" if context.chain else "nothing is checked"
    code = "verifies-chain-and-host" if context.names else "verifies-chain" if context.chain else "does-not-verify"
    found = replace(
        base,
        chain=context.chain,
        names="openssl" if context.names else "",
        roots=context.roots,
        stack=context.stack,
        reread=Reread.EACH_CONNECTION if said == "ssl_context=True" else Reread.AT_START,
        refused=context.failure,
        undecidable=context.unclear,
    )
    return _reasoned(found, code, f"{said}: {what}")


def _reasoned(policy: TrustPolicy, code: str, text: str) -> TrustPolicy:
    return replace(policy, reasons=(Reason(code, text, SOURCE),))


DRIVER = Driver(
    name="pg8000",
    title="pg8000",
    source="https://github.com/tlocke/pg8000#pg8000nativeconnection",
    versions="1.14 to 1.31",
    proven=("1.19.5", "1.30.5", "1.31.0", "1.31.6"),
    possible=possible,
    read=read,
    policy=policy,
)
