"""
Each driver's own way to write a scenario.

A speller takes a scenario and where its server is, and gives what the batch contract of ``explain`` calls ``dsn``, ``settings``
and ``env`` (and what it adds to ``runtime``); None says that this driver has no way to write it. ``case`` adds what is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .material import JAVA_PASSWORD, NOW, Material
from .scenarios import Scenario
from .stray import strayed

Spelled = dict[str, Any]

_OTHER_HOST = "other.lab.test"
"""Another name of the same server: what a list of hosts begins with."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the scenario's server listens, and the files that go with the scenario."""

    port: int
    user: str
    material: Material
    socket: str
    database: str = "postgres"

    def store(self, s: Scenario) -> str | None:
        return None if s.store is None else str(self.material.store_path(s.store, s.chain))

    def crl(self, s: Scenario) -> str | None:
        return None if s.crl is None else str(self.material.crl_path(s.crl, s.chain))

    def home(self, s: Scenario) -> str:
        store = s.store if s.store_at == "home" else s.home_store
        return str(self.material.home(s.chain, store, s.crl if s.crl_at == "home" else None))


# The servers' own files have sections for it, what stands in for Npgsql reads no words but its own, and psqlpy takes objects, not words.
WITHOUT_STRAYS = ("npgsql", "pgbouncer", "pgpool", "psqlpy")


def case(speller: Callable[[Scenario, Target], Spelled | None], s: Scenario, target: Target) -> Spelled | None:
    """The scenario as one case of the batch contract, without ``id`` and who the driver is."""
    spelled = speller(s, target)
    if spelled is not None and s.stray is not None:
        spelled = None if speller.__name__ in WITHOUT_STRAYS else strayed(spelled, s.stray, s.mode)
    if spelled is None:
        return None
    served: dict[str, str] = {"chain": str(target.material.chain_path(s.chain)), "accepts": s.accepts}
    return spelled | {"home": target.home(s), "server": served, "host": s.host, "at": NOW.isoformat()}


def query_of(pairs: Mapping[str, str] | list[tuple[str, str]]) -> str:
    return urlencode(pairs, quote_via=quote, safe="/")


# ── libpq and what is built on it ────────────────────────────────────────────────────────────────


def libpq(s: Scenario, t: Target) -> Spelled | None:
    options: dict[str, str] = {"host": s.host, "port": str(t.port), "user": t.user, "dbname": t.database}
    env: dict[str, str] = {}

    def put(name: str, variable: str, value: str | None, place: str) -> None:
        if value is not None:
            if place == "env":
                env[variable] = value
            elif place == "setting":
                options[name] = value

    put("sslmode", "PGSSLMODE", s.mode, s.mode_at)
    put("sslrootcert", "PGSSLROOTCERT", t.store(s), s.store_at)
    put("sslcrl", "PGSSLCRL", t.crl(s), s.crl_at)
    doubled: list[tuple[str, str]] = []
    if s.extra in ("hostaddr", "hostaddr-only"):
        options["hostaddr"] = "127.0.0.1"
        if s.extra == "hostaddr-only":
            del options["host"]
    elif s.extra == "no-sni":
        options["sslsni"] = "0"
    elif s.extra == "direct":
        options["sslnegotiation"] = "direct"
    elif s.extra == "tls-1.2":
        options["ssl_max_protocol_version"] = "TLSv1.2"
    elif s.extra in ("system", "system-file"):
        options["sslrootcert"] = "system"
        if s.extra == "system-file" and t.store(s):
            env["SSL_CERT_FILE"] = t.store(s) or ""
    elif s.extra == "twice":
        doubled = [("sslmode", "disable")]
    elif s.extra == "ssl=true":
        if s.form != "uri":
            return None
        options.pop("sslmode", None)
        options["ssl"] = "true"
    elif s.extra == "service":
        lines = [f"{k}={v}" for k, v in options.items()]
        env["PGSERVICEFILE"] = str(t.material.text("services", "[lab]\n" + "\n".join(lines) + "\n"))
        options = {"service": "lab"}
    elif s.extra == "channel-binding":
        options["channel_binding"] = "require"
    elif s.extra == "socket":
        options["host"] = t.socket
    elif s.extra == "two-hosts":
        options["host"] = f"{_OTHER_HOST},{s.host}"
        options["port"] = f"{t.port},{t.port}"
    elif s.extra == "crl-folder":
        options["sslcrldir"] = str(t.material.home(s.chain, None, None))
    elif s.extra == "crl-hashed" and s.crl is not None and s.crl_at == "setting":
        del options["sslcrl"]
        options["sslcrldir"] = str(t.material.crl_folder(s.crl, s.chain))
    elif s.extra in ("gss-require", "gss-disable"):
        options["gssencmode"] = s.extra.removeprefix("gss-")
    elif s.extra in ("crl-hashed", "node-extra", "context", "blind-factory", "java-factory", "single-factory"):
        return None
    pairs = doubled + list(options.items())
    if s.form == "uri" and s.extra != "two-hosts":
        return {"dsn": _libpq_uri(pairs), "env": env}
    if s.form == "keywords" or doubled:
        return {"dsn": " ".join(f"{k}={_keyword_value(v)}" for k, v in pairs), "env": env}
    return {"settings": options, "env": env}


def _libpq_uri(pairs: list[tuple[str, str]]) -> str:
    options = dict(pairs)
    rest = [(k, v) for k, v in pairs if k not in ("host", "port", "user", "dbname")]
    if "user" not in options:
        return f"postgresql://?{query_of(rest)}"
    place = f"{options['user']}@{quote(options.get('host', ''), safe='')}:{options['port']}/{options['dbname']}"
    return f"postgresql://{place}" + (f"?{query_of(rest)}" if rest else "")


def _keyword_value(value: str) -> str:
    if value and not any(c in " '\\" for c in value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def psycopg2(s: Scenario, t: Target) -> Spelled | None:
    return libpq(s, t)


# ── pgJDBC ───────────────────────────────────────────────────────────────────────────────────────


def pgjdbc(s: Scenario, t: Target) -> Spelled | None:
    options: dict[str, str] = {"user": t.user}
    runtime: dict[str, str] = {}
    if s.mode is not None:
        options["sslmode"] = s.mode
    if s.mode_at == "env" or s.store_at == "env" or (s.crl and s.crl_at == "env"):
        return None  # pgJDBC reads none of libpq's variables
    if s.crl is not None and s.crl_at == "setting":
        return None
    store = t.store(s) if s.store_at == "setting" else None
    if store is not None:
        options["sslrootcert"] = store
    doubled: list[tuple[str, str]] = []
    place = f"{s.host}:{t.port}"
    if s.extra == "ssl=true":
        options.pop("sslmode", None)
        options["ssl"] = "true"
    elif s.extra == "blind-factory":
        options["sslfactory"] = "org.postgresql.ssl.NonValidatingFactory"
    elif s.extra == "single-factory" and store is not None:
        options["sslfactory"] = "org.postgresql.ssl.SingleCertValidatingFactory"
        options["sslfactoryarg"] = f"file:{store}"
    elif s.extra == "java-factory":
        options["sslfactory"] = "org.postgresql.ssl.DefaultJavaSSLFactory"
        java_store = t.material.java_store_path(s.store, s.chain) if s.store is not None else None
        if s.store is not None and java_store is None:
            return None
        if java_store is not None:
            runtime["javax.net.ssl.trustStore"] = str(java_store)
            runtime["javax.net.ssl.trustStorePassword"] = JAVA_PASSWORD
            runtime["javax.net.ssl.trustStoreType"] = "PKCS12"
    elif s.extra == "twice":
        doubled = [("sslmode", "disable")]
    elif s.extra in ("system", "system-file"):
        options["sslrootcert"] = "system"
    elif s.extra == "two-hosts" and s.form != "settings":
        place = f"{_OTHER_HOST}:{t.port},{place}"
        options["hostRecheckSeconds"] = "0"  # or a host that failed in the case before is passed over for ten seconds
    elif s.extra is not None:
        return None
    more: Spelled = {"env": {}, "runtime": runtime} if runtime else {"env": {}}
    if s.form == "settings" and not doubled:
        return more | {"settings": {"host": s.host, "port": str(t.port), "database": t.database, **options}}
    query = query_of(doubled + list(options.items()))
    return more | {"dsn": f"jdbc:postgresql://{place}/{t.database}?{query}"}


# ── drivers of Python with a TLS of their own ────────────────────────────────────────────────────


def asyncpg(s: Scenario, t: Target) -> Spelled | None:
    options: dict[str, Any] = {"host": s.host, "port": t.port, "user": t.user, "database": t.database}
    query: dict[str, str] = {}
    env: dict[str, str] = {}
    crl = t.crl(s)
    store = t.store(s)
    if s.extra in ("context", "system", "system-file"):
        if s.form != "settings":
            return None
        if s.extra == "system":
            options["ssl"] = True
        else:
            context = _context(s, store if s.extra == "context" else None)
            if context is None:
                return None
            options["ssl_context"] = context
        if s.extra == "system-file" and store:
            env["SSL_CERT_FILE"] = store
        return {"settings": options, "env": env}
    if s.extra == "ssl=true":
        query["ssl"] = "true"
    elif s.extra == "tls-1.2":
        query["ssl_max_protocol_version"] = "TLSv1.2"
    elif s.extra is not None:
        return None
    else:
        _into(query, env, "sslmode", "PGSSLMODE", s.mode, s.mode_at)
    _into(query, env, "sslrootcert", "PGSSLROOTCERT", store, s.store_at)
    _into(query, env, "sslcrl", "PGSSLCRL", crl, s.crl_at)
    if s.form == "settings" and not (set(query) - {"sslmode"}):
        if "sslmode" in query:
            options["ssl"] = query["sslmode"]
        return {"settings": options, "env": env}
    dsn = f"postgresql://{t.user}@{s.host}:{t.port}/{t.database}" + (f"?{query_of(query)}" if query else "")
    return {"dsn": dsn, "env": env}


def _into(query: dict[str, str], env: dict[str, str], name: str, variable: str, value: str | None, place: str) -> None:
    if value is not None and place == "env":
        env[variable] = value
    elif value is not None and place == "setting":
        query[name] = value


def _context(s: Scenario, cafile: str | None) -> Spelled | None:
    context: Spelled = {"from": "create_default_context"}
    if cafile is not None:
        context["cafile"] = cafile
    if s.mode == "require":
        return context | {"check_hostname": False, "verify_mode": "CERT_NONE"}
    if s.mode == "verify-ca":
        return context | {"check_hostname": False}
    return context if s.mode == "verify-full" else None


def pg8000(s: Scenario, t: Target) -> Spelled | None:
    options: dict[str, Any] = {"host": s.host, "port": t.port, "user": t.user, "database": t.database}
    env: dict[str, str] = {}
    if s.form != "settings" and s.mode not in ("verify-ca", "verify-full"):
        return None
    if (s.crl is not None and s.crl_at != "home") or s.mode == "allow" or s.extra not in (None, "context"):
        return None
    simple = {None: (), "disable": (False,), "prefer": (None,), "require": (True,)}
    if s.mode in simple and s.extra is None:
        for value in simple[s.mode]:
            options["ssl_context"] = value
        return {"settings": options, "env": env}
    context = _context(s, t.store(s) if s.store_at == "setting" else None)
    if context is None:
        return None
    if s.store_at == "env" and s.store is not None:
        env["SSL_CERT_FILE"] = t.store(s) or ""
    return {"settings": options | {"ssl_context": context}, "env": env}


def psqlpy(s: Scenario, t: Target) -> Spelled | None:
    options: dict[str, Any] = {"host": s.host, "port": t.port, "username": t.user, "db_name": t.database}
    if s.store_at == "env" or s.mode_at == "env" or s.extra or (s.crl and s.crl_at != "home"):
        return None
    if s.mode is not None:
        options["ssl_mode"] = s.mode
    if s.store is not None and s.store_at == "setting":
        options["ca_file"] = t.store(s)
    return {"settings": options, "env": {}}


def store_into(pairs: list[tuple[str, str]], env: dict[str, str], s: Scenario, t: Target) -> None:
    store = t.store(s)
    if store is not None and s.store_at == "setting":
        pairs.append(("sslrootcert", store))
    elif store is not None and s.store_at == "env":
        env["PGSSLROOTCERT"] = store


# ── libpq under other languages ──────────────────────────────────────────────────────────────────


def ruby_pg(s: Scenario, t: Target) -> Spelled | None:
    if s.extra == "service":
        return None  # ruby-pg 1.4 takes the default port over the service file's
    return libpq(s, t)


def pdo(s: Scenario, t: Target) -> Spelled | None:
    spelled = _flat(s, t)
    return None if spelled is None else spelled | {"dsn": "pgsql:" + ";".join(spelled["dsn"])}


def dbd_pg(s: Scenario, t: Target) -> Spelled | None:
    spelled = _flat(s, t)
    return None if spelled is None else spelled | {"dsn": "dbi:Pg:" + ";".join(spelled["dsn"])}


def _flat(s: Scenario, t: Target) -> Spelled | None:
    """``key=value;…`` without quoting."""
    spelled = libpq(s, t)
    if spelled is None or "settings" not in spelled:
        return None
    options = dict(spelled["settings"])
    if any(c in value for value in options.values() for c in "; '\\"):
        return None
    user = options.pop("user", None)
    given = {"dsn": [f"{k}={v}" for k, v in options.items()], "env": spelled["env"]}
    return given if user is None else given | {"settings": {"user": user}}


def psqlodbc(s: Scenario, t: Target) -> Spelled | None:
    if s.extra not in (None, "hostaddr") or s.form == "keywords":
        return None
    env: dict[str, str] = {}
    through: dict[str, str] = {}
    words = ["Driver={PostgreSQL Unicode}", f"Servername={s.host}", f"Port={t.port}", f"Database={t.database}", f"Uid={t.user}"]
    if s.mode is not None and s.mode_at == "setting":
        words.append(f"SSLmode={s.mode}")
    elif s.mode is not None:
        env["PGSSLMODE"] = s.mode
    _into(through, env, "sslrootcert", "PGSSLROOTCERT", t.store(s), s.store_at)
    _into(through, env, "sslcrl", "PGSSLCRL", t.crl(s), s.crl_at)
    if s.extra == "hostaddr":
        through["hostaddr"] = "127.0.0.1"
    if s.form == "uri" and through:  # as many write it, and as it has no effect
        words += [f"{k}={v}" for k, v in through.items()]
    elif through:
        words.append("pqopt={" + " ".join(f"{k}={v}" for k, v in through.items()) + "}")
    return {"dsn": ";".join(words), "env": env}


# ── Go ────────────────────────────────────────────────────────────────────────────


def go(s: Scenario, t: Target) -> Spelled | None:
    """lib/pq and pgx read libpq's words, their own way."""
    if s.extra not in (None, "ssl=true", "system", "system-file", "direct", "twice", "tls-1.2") or (s.crl_at == "env" and s.crl):
        return None
    pairs: list[tuple[str, str]] = []
    env: dict[str, str] = {}
    if s.extra == "ssl=true":
        pairs.append(("ssl", "true"))
    elif s.mode is not None and s.mode_at == "env":
        env["PGSSLMODE"] = s.mode
    elif s.mode is not None:
        pairs.append(("sslmode", s.mode))
    if s.extra in ("system", "system-file"):
        pairs.append(("sslrootcert", "system"))
        if s.extra == "system-file" and s.store:
            env["SSL_CERT_FILE"] = t.store(s) or ""
    else:
        store_into(pairs, env, s, t)
    if s.extra == "direct":
        pairs.append(("sslnegotiation", "direct"))
    if s.extra == "tls-1.2":
        pairs.append(("ssl_max_protocol_version", "TLSv1.2"))
    if s.extra == "twice":
        pairs.insert(0, ("sslmode", "disable"))
    if s.form == "keywords":
        place = [("host", s.host), ("port", str(t.port)), ("user", t.user), ("dbname", t.database)]
        return {"dsn": " ".join(f"{k}={_keyword_value(v)}" for k, v in (*place, *pairs)), "env": env}
    query = f"?{query_of(pairs)}" if pairs else ""
    return {"dsn": f"postgres://{t.user}@{s.host}:{t.port}/{t.database}{query}", "env": env}


def dbmate(s: Scenario, t: Target) -> Spelled | None:
    """A program around lib/pq that takes URLs only, and reads them itself first."""
    if s.extra == "twice" or s.form == "keywords":
        return None
    return go(s, t)


# ── .NET ──────────────────────────────────────────────────────────────────────────


def npgsql(s: Scenario, t: Target) -> Spelled | None:
    """Keywords with ``;`` between them. It has no list of revocation and no variable for the mode."""
    if s.extra not in (None, "twice") or (s.mode is not None and s.mode_at == "env") or (s.crl and s.crl_at != "home"):
        return None
    pairs = [("Host", s.host), ("Port", str(t.port)), ("Username", t.user), ("Database", t.database)]
    env: dict[str, str] = {}
    if s.extra == "twice":
        pairs.append(("SSL Mode", "Disable"))
    if s.mode is not None:
        pairs.append(("SSL Mode", s.mode.replace("-", "") if s.form == "uri" else s.mode.title().replace("-Ca", "CA").replace("-F", "F")))
    if s.store is not None and s.store_at == "setting":
        pairs.append(("Root Certificate", t.store(s) or ""))
    elif s.store is not None and s.store_at == "env":
        env["PGSSLROOTCERT"] = t.store(s) or ""
    return {"dsn": ";".join(f'{k}="{v}"' if s.form == "keywords" else f"{k}={v}" for k, v in pairs), "env": env}
