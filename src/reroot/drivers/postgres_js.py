"""
postgres.js (npm ``postgres``) 3: six words for ``ssl``, of which three check nothing and all others everything.

``require``, ``allow`` and ``prefer`` are unverified; anything else that is true, ``verify-ca`` and even ``no-verify`` included, is
verified fully against Node's built-in roots. Only ``prefer`` goes on in plaintext where the server has no TLS. ``sslrootcert=PATH``
in the URL is no setting of postgres.js: it is sent to the server, which refuses it. An IP address is verified as ``localhost``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, OnDistrust, Reason, Settings, TrustPolicy
from . import _node, _parameters, _whatwg
from ._driver import Driver, numbered
from ._libpq import text_of

SOURCE = "postgres.js src/index.js parseOptions(), src/connection.js secure(); run with postgres 3.2, 3.3 and 3.4"
OLD_SOURCE = "postgres.js 3.2 src/index.js parseOptions()"

FIRST, LAST = (3, 2), (3, 5)
DECODES, EMPTY, SYSTEM, DIRECT = (3, 3), (3, 4), (3, 4, 3), (3, 4, 8)
"""From which version on: user and password are decoded; an empty URL is none; ``sslrootcert=system`` is verify-full; ``sslnegotiation`` is known."""

UNVERIFIED = ("require", "allow", "prefer")
# Names with a default: they are settings, and not sent to the server.
DEFAULTS = """
    max ssl idle_timeout connect_timeout max_lifetime max_pipeline backoff keep_alive prepare debug fetch_types publications
    target_session_attrs
"""
KNOWN = frozenset(DEFAULTS.split())
OWN = """
    host hostname port path database db user username pass password connection types onnotice onnotify onclose onparameter socket
    transform no_prepare timeout shared sslnegotiation
"""

def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return (replace(given, version="3.4.9"), replace(given, version="3.4.0"))
    return (given,) if FIRST <= numbered(given.version) < LAST else ()


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


def config(given: Given) -> dict[str, Any]:
    """``postgres(url, options)``: host, port, ssl, sslnegotiation, and under ``connection`` what goes to the server."""
    options = dict(given.options)
    version = numbered(given.version)
    url, hosts = _url(given.dsn, version) if given.dsn or (given.dsn == "" and version < EMPTY) else (None, "")
    query = dict(url.query) if url is not None else {}
    env = given.env
    host = _first(options.get("hostname"), options.get("host"), hosts, url and url.hostname, env.get("PGHOST"), "localhost")
    port = _first(options.get("port"), url and url.port, env.get("PGPORT"), 5432)
    if query.get("sslmode"):
        query["ssl"] = query.pop("sslmode")
    if version >= SYSTEM and query.get("sslrootcert") == "system":
        query["ssl"] = "verify-full"
    known = KNOWN | ({"sslnegotiation"} if version >= DIRECT else set())
    found = {"host": host, "port": port, "path": options.get("path")}
    for name in ("ssl", "sslnegotiation"):
        if name in known:
            found[name] = _value(name, options, query, env)
    found["target_session_attrs"] = _session_attributes(options, query, env)
    found["connection"] = {name: value for name, value in query.items() if name not in known}
    return found


def _first(*values: Any) -> Any:
    """JavaScript's ``a || b || c``."""
    return next((v for v in values if v or isinstance(v, dict | list)), values[-1])


def _value(name: str, options: Mapping[str, Any], query: Mapping[str, str], env: Mapping[str, str]) -> Any:
    if name in options:
        return options[name]
    if name in query:
        return False if query[name] in ("disable", "false") else query[name]
    return env.get(f"PG{name.upper()}") or (False if name == "ssl" else None)


def _session_attributes(options: Mapping[str, Any], query: Mapping[str, str], env: Mapping[str, str]) -> str:
    wanted = _first(options.get("target_session_attrs"), query.get("target_session_attrs"), env.get("PGTARGETSESSIONATTRS"), "")
    if wanted and wanted not in ("read-write", "read-only", "primary", "standby", "prefer-standby"):
        raise SettingsError(f"target_session_attrs {wanted} is not supported")
    return str(wanted or "")


def _url(text: str, version: tuple[int, ...]) -> tuple[_whatwg.Url, str]:
    """The URL with its first host, and all hosts where there are several."""
    if len(text) > _whatwg.LIMIT:
        raise SettingsError(f"the URL is longer than {_whatwg.LIMIT} characters")
    at = text.find("://")
    host = text[at + 3 if at >= 0 else 2 :]
    host = next(iter(_split(host)))
    host = _whatwg.decode_uri_component(host[host.find("@") + 1 :])
    if host and host in text:
        before, _, after = text.partition(host)
        text = before + _replacement(host.split(",")[0], before, host, after) + after
    url = _whatwg.parse(text)
    if version >= DECODES:
        _whatwg.decode_uri_component(url.username)
        _whatwg.decode_uri_component(url.password)
    return url, host if "," in host else ""


def _replacement(text: str, before: str, matched: str, after: str) -> str:
    """What ``String.replace()`` makes of its second argument: ``$&`` and its like are filled in."""
    filled = {"$$": "$", "$&": matched, "$`": before, "$'": after}
    return re.sub(r"\$[$&`']", lambda found: filled[found[0]], text)


def _split(text: str) -> list[str]:
    return text.replace("?", "/").split("/")


def endpoints(found: Mapping[str, Any]) -> tuple[Endpoint, ...]:
    host, port = found["host"], found["port"]
    if found["path"] or (isinstance(host, str) and "/" in host):
        return (Endpoint(str(found["path"] or host), "", str(port)),)
    hosts = [text_of(h) for h in host] if isinstance(host, list) else [h.split(":")[0] for h in text_of(host).split(",")]
    ports = [str(p) for p in port] if isinstance(port, list) else [_port(h, port) for h in text_of(host).split(",")]
    return tuple(_endpoint(found, h, ports[i] if i < len(ports) else str(port)) for i, h in enumerate(hosts))


def _port(host: str, port: Any) -> str:
    after = host.split(":")[1:2]
    return after[0] if after and after[0] else str(port)


def _endpoint(found: Mapping[str, Any], host: str, port: str) -> Endpoint:
    ssl = found["ssl"]
    named = ssl.get("servername") if isinstance(ssl, Mapping) else None
    name = str(named) if named else "localhost" if _node.is_address(host) else host
    return Endpoint(name, "" if name == host else host, port)


def read(given: Given) -> Settings:
    found = config(given)
    values = {**found, **found.pop("connection"), **{k: v for k, v in given.options.items() if k not in found}}
    origin = "dsn" if given.dsn else "option"
    origins = {name: "option" if name in given.options else origin for name in values}
    if "ssl" not in given.options and not any(name in (given.dsn or "") for name in ("ssl", "sslmode")) and "PGSSL" in given.env:
        origins["ssl"] = "environment"
    return _node.shown(given.driver, values, origins, KNOWN | frozenset(OWN.split()), endpoints(config(given)))


# ── policy ───────────────────────────────────────────────────────────────────────────────────────


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = config(given)
    ssl = found["ssl"]
    several = len(settings.endpoints) > 1
    if isinstance(ssl, Mapping | list) or ssl:
        base = _over_tls(given, found, ssl)
    else:
        base = TrustPolicy(Ask.NEVER, reasons=(Reason("tls-not-asked", "ssl is off, the default: TLS is never asked for", SOURCE),))
    refused = _parameters.refused(name for name, value in found["connection"].items() if value)  # it sends no empty one
    if refused is not None:
        return replace(base, refused=refused)
    if several and base.ask is not Ask.NEVER:
        text = "with several hosts postgres.js may try them for ever after a TLS error: rehearse this client"
        return replace(base, undecidable=Reason("several-hosts", text, SOURCE))
    if "socket" in given.options:
        return replace(base, undecidable=Reason("custom-check", "the program makes its own socket: rehearse this client", SOURCE))
    return _node.over_socket(base, settings.endpoints)


def _over_tls(given: Given, found: Mapping[str, Any], ssl: Any) -> TrustPolicy:
    direct = found.get("sslnegotiation") == "direct"
    if isinstance(ssl, str) and ssl in UNVERIFIED:
        base = _node.policy(given, {"rejectUnauthorized": False}, source=SOURCE)
        said = Reason("does-not-verify", f"ssl is {ssl}: nothing is checked", SOURCE)
        falls = ssl == "prefer" and not direct
        on_no_tls = OnDistrust.PLAINTEXT if falls else OnDistrust.FAIL
        return replace(base, ask=Ask.IF_OFFERED if falls else Ask.ALWAYS, on_no_tls=on_no_tls, direct=direct, reasons=(said,))
    options = ssl if isinstance(ssl, Mapping) else {}
    return replace(_node.policy(given, options, source=SOURCE), direct=direct)


DRIVER = Driver(
    name="postgres-js",
    title="postgres.js",
    source="https://github.com/porsager/postgres#ssl",
    versions="3.2 to 3.4",
    proven=("3.2", "3.3", "3.4"),
    possible=possible,
    read=read,
    policy=policy,
)
