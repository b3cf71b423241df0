"""
Doctrine DBAL, and Symfony on it: one of two drivers on libpq, ``pdo_pgsql`` or ``pgsql``, by parameters over which a URL is laid.

``pdo_pgsql`` hands ``sslmode``, ``sslrootcert``, ``sslcert``, ``sslkey`` and ``sslcrl`` on, without quotes. ``pgsql`` hands on ``sslmode`` and
no more: an ``sslrootcert`` beside it is dropped without a word, and only PGSSLROOTCERT or ``~/.postgresql/root.crt`` is left.
A URL is percent-decoded twice. From 4 on the application says which of the two its scheme stands for: ``doctrine-driver`` in ``runtime``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Given, Reason, Settings, TrustPolicy
from . import _libpq, _php, libpq, pdo
from ._driver import Driver, numbered

SOURCE = "doctrine/dbal src/Driver/PDO/PgSQL/Driver.php, src/Driver/PgSQL/Driver.php, src/Tools/DsnParser.php; run with 3.6"
FIRST, MAPPED, LAST = (3, 6), (4,), (5,)
"""Up to 3 the scheme of a URL names its driver by a table of DBAL's own; from 4 on the application maps it."""
SCHEMES = {"postgres": "pdo_pgsql", "postgresql": "pdo_pgsql", "pgsql": "pdo_pgsql", "pdo_pgsql": "pdo_pgsql"}
LAYERS = ("pdo_pgsql", "pgsql")
THROUGH_PDO = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")
ELSEWHERE = ("primary", "replica", "driverClass", "wrapperClass", "hostaddr")
READ = frozenset({"driver", "host", "port", "dbname", "user", "password", "url"})

Params = dict[str, object]


def possible(given: Given) -> tuple[Given, ...]:
    """Every libpq, and where the application says which driver a URL's scheme stands for, each of the two."""
    if given.version is not None and not FIRST <= numbered(given.version) < LAST:
        return ()
    found = _libpq.possible(given)
    is_mapped = _url(given) != "" and (given.version is None or numbered(given.version) >= MAPPED)
    if not is_mapped or given.runtime.get("doctrine-driver") or (given.version is not None and given.options.get("driver") in LAYERS):
        return found
    return tuple(replace(one, runtime={**one.runtime, "doctrine-driver": layer}) for one in found for layer in LAYERS)


def _url(given: Given) -> str:
    return given.dsn if given.dsn is not None else _libpq.text_of(given.options.get("url") or "")


def configured(given: Given) -> tuple[Params, str]:
    """The parameters with the URL laid over them, and why that cannot be known."""
    params: Params = {name: value for name, value in given.options.items() if name != "url" and value is not None}
    if _url(given):
        try:
            params |= _from_url(given, params)
        except _php.Odd as odd:
            return params, str(odd)
    elif "driver" not in params and "driverClass" not in params:
        raise SettingsError("the options `driver` or `driverClass` are mandatory if no PDO instance is given")
    why = next((f"`{word}` in the parameters" for word in ELSEWHERE if params.get(word) is not None), "")
    if str(params.get("host", "")).startswith("["):
        why = why or "an address in brackets, which later versions unwrap"
    if params.get("gssencmode") == "require":
        why = why or "`gssencmode`, which later versions hand on"
    if any(isinstance(params.get(name), list | dict) for name in (*READ, *THROUGH_PDO)):
        return {name: v for name, v in params.items() if not isinstance(v, list | dict)}, "a setting that is no text"
    return params, why


def _from_url(given: Given, params: Mapping[str, object]) -> Params:
    """DsnParser::parse(): each part is decoded, and then the query's words once more."""
    url = _php.parse_url(_url(given))
    scheme = _php.rawurldecode(url.scheme).replace("-", "_")
    mapped = given.runtime.get("doctrine-driver") or (params.get("driver") if _is_mapped(given) else None)
    driver = mapped or SCHEMES.get(scheme)
    if driver is None:
        raise SettingsError("the scheme of the URL is no driver for PostgreSQL", hint="DBAL knows `postgres`, `postgresql` and `pgsql`")
    found: Params = {"driver": driver, "host": _php.rawurldecode(url.host)}
    found |= {"port": url.port} if url.port else {}
    found |= {"user": _php.rawurldecode(url.user)} if url.user is not None else {}
    found |= {"password": _php.rawurldecode(url.password)} if url.password is not None else {}
    found |= {"dbname": _php.rawurldecode(url.path)[1:]} if url.path else {}
    return found | dict(_php.parse_str(_php.rawurldecode(url.query)))


def _is_mapped(given: Given) -> bool:
    return given.version is not None and numbered(given.version) >= MAPPED


def dsn_of(params: Mapping[str, object]) -> str:
    """constructPdoDsn()."""
    words = [f"{name}={_libpq.text_of(params[name])};" for name in ("host", "port") if params.get(name) not in (None, "")]
    words.append(f"dbname={params.get('dbname', 'postgres')};")
    words += [f"{name}={_libpq.text_of(params[name])};" for name in THROUGH_PDO if params.get(name) is not None]
    return "pgsql:" + "".join(words)


def pairs_of(params: Mapping[str, object]) -> list[tuple[str, str]]:
    """constructConnectionString() of the native driver, which quotes each value."""
    named = {name: params.get(name) for name in ("host", "port", "dbname", "user", "sslmode")}
    return [(name, _libpq.text_of(value)) for name, value in named.items() if value not in (None, "")]


def read(given: Given) -> Settings:
    params, _ = configured(given)
    if params.get("driver") == "pgsql":
        settings = _libpq.effective(replace(given, dsn=None), pairs_of(params))
        used: tuple[str, ...] = ("sslmode",)
    else:
        user = {"username": params["user"]} if params.get("user") else {}
        settings = pdo.read(replace(given, dsn=dsn_of(params), options=user))
        used = THROUGH_PDO
    unknown = {n: _libpq.text_of(v) for n, v in params.items() if n not in READ and n not in used and v is not None}
    return replace(settings, unknown=unknown)


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = libpq.policy(given, settings)
    params, why = configured(given)
    if params.get("driver") not in LAYERS:
        why = why or "a driver that is neither `pdo_pgsql` nor `pgsql`"
    if why:
        reason = Reason("not-read", f"what Doctrine makes of this is not known here: {why}", SOURCE)
        return replace(found, undecidable=reason, socket_is_plain=False)
    return found


DRIVER = Driver(
    name="doctrine",
    title="Doctrine DBAL",
    source="https://www.doctrine-project.org/projects/doctrine-dbal/en/4.0/reference/configuration.html",
    versions="3.6 to 4.x, over PDO or pg_connect (`--runtime doctrine-driver=pgsql`) on libpq 12 to 18",
    proven=("3.6",),
    possible=possible,
    read=read,
    policy=policy,
)
