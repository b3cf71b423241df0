"""How Node's drivers, and what stands on them, write a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .scenarios import Scenario
from .spelling import Spelled, Target, query_of, store_into


def _beside_nodes_own(s: Scenario, t: Target, speller: Callable[[Scenario, Target], Spelled | None]) -> Spelled | None:
    """The store is named by NODE_EXTRA_CA_CERTS, and nowhere else."""
    spelled = speller(replace(s, store=None, home_store=None, extra=None), t)
    if spelled is not None and s.store is not None:
        spelled["env"] = spelled["env"] | {"NODE_EXTRA_CA_CERTS": t.store(s)}
    return spelled


def node_postgres(s: Scenario, t: Target) -> Spelled | None:
    env: dict[str, str] = {}
    if s.crl is not None and s.crl_at != "home":
        return None
    if s.extra == "node-extra":
        return _beside_nodes_own(s, t, node_postgres)
    if s.extra not in (None, "ssl=true", "twice", "context", "direct", "tls-1.2"):
        return None
    if s.form == "settings" or s.extra in ("context", "tls-1.2"):
        ssl = _node_ssl(s, t)
        if ssl is _NO_WAY:
            return None
        if s.extra == "tls-1.2" and ssl:
            ssl = {"maxVersion": "TLSv1.2"} | ({} if ssl is True else ssl)
        options: dict[str, Any] = {"host": s.host, "port": t.port, "user": t.user, "database": t.database}
        if ssl is not None:
            options["ssl"] = ssl
        if s.mode_at == "env":
            options.pop("ssl", None)
            env["PGSSLMODE"] = s.mode or "prefer"
        return {"settings": options, "env": env}
    pairs: list[tuple[str, str]] = []
    if s.extra == "twice":
        pairs.append(("sslmode", "disable"))
    if s.extra == "ssl=true":
        pairs.append(("ssl", "true"))
    elif s.mode is not None and s.mode_at == "setting":
        pairs.append(("sslmode", s.mode))
    elif s.mode is not None:
        env["PGSSLMODE"] = s.mode
    store_into(pairs, env, s, t)
    if s.extra == "direct":
        pairs.append(("sslnegotiation", "direct"))
    if s.form == "keywords":  # the other way to read the same words
        pairs.append(("uselibpqcompat", "true"))
    query = f"?{query_of(pairs)}" if pairs else ""
    return {"dsn": f"postgresql://{t.user}@{s.host}:{t.port}/{t.database}{query}", "env": env}


_NO_WAY: Any = object()


def _node_ssl(s: Scenario, t: Target) -> Any:
    """Node's ``ssl`` option; trust material is text, as ``fs.readFileSync`` gives it."""
    if s.mode is None:
        return None
    if s.mode == "disable":
        return False
    if s.mode in ("allow", "prefer"):
        return _NO_WAY
    options: Spelled = {}
    if s.store is not None and s.store_at == "setting":
        content = t.material.store(s.store, s.chain) if s.store not in ("missing", "folder") else None
        try:
            content = t.material.store_path(s.store, s.chain).read_bytes() if content is not None else None
            text = None if content is None else content.decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return _NO_WAY
        if text is None:
            return _NO_WAY
        options["ca"] = text
    if s.mode == "require":
        options["rejectUnauthorized"] = False
    elif s.mode == "verify-full":
        if not options:
            return True
    else:
        return _NO_WAY  # a function of the program's own
    return options


def postgres_js(s: Scenario, t: Target) -> Spelled | None:
    env: dict[str, str] = {}
    if s.crl is not None and s.crl_at != "home":
        return None
    if s.extra == "node-extra":
        return _beside_nodes_own(s, t, postgres_js)
    if s.store_at == "env" or s.mode_at == "env" or s.extra not in (None, "ssl=true", "system", "twice"):
        return None
    if s.form == "settings":
        ssl = _node_ssl(s, t)
        if s.mode in ("allow", "prefer"):
            ssl = s.mode
        if ssl is _NO_WAY:
            return None
        options: dict[str, Any] = {"host": s.host, "port": t.port, "user": t.user, "database": t.database}
        return {"settings": options if ssl is None else options | {"ssl": ssl}, "env": env}
    pairs: list[tuple[str, str]] = []
    if s.extra == "twice":
        pairs.append(("sslmode", "disable"))
    if s.extra == "ssl=true":
        pairs.append(("ssl", "true"))
    elif s.mode is not None:
        pairs.append(("sslmode", s.mode))
    if s.extra == "system":
        pairs.append(("sslrootcert", "system"))
    elif s.store is not None and s.store_at == "setting":
        pairs.append(("sslrootcert", t.store(s) or ""))
    query = f"?{query_of(pairs)}" if pairs else ""
    return {"dsn": f"postgres://{t.user}@{s.host}:{t.port}/{t.database}{query}", "env": env}


def object_mapper(option: Callable[[Any], Spelled]) -> Callable[[Scenario, Target], Spelled | None]:
    """Knex, Sequelize and TypeORM hand settings to node-postgres; *option* says where each keeps its ``ssl``."""

    def spell(s: Scenario, t: Target) -> Spelled | None:
        spelled = node_postgres(s, t)
        if spelled is None or "settings" not in spelled:
            return spelled
        settings = dict(spelled["settings"])
        ssl = settings.pop("ssl", None)
        return spelled | {"settings": settings | ({} if ssl is None else option(ssl))}

    return spell


knex = object_mapper(lambda ssl: {"ssl": ssl})
_sequelize = object_mapper(lambda ssl: {"dialectOptions": {"ssl": ssl}})
_typeorm = object_mapper(lambda ssl: {"ssl": ssl})


def sequelize(s: Scenario, t: Target) -> Spelled | None:
    spelled = _sequelize(s, t)
    if spelled and "settings" in spelled:
        spelled["settings"]["username"] = spelled["settings"].pop("user")
    return spelled


def typeorm(s: Scenario, t: Target) -> Spelled | None:
    spelled = _typeorm(s, t)
    if spelled and "settings" in spelled:
        spelled["settings"]["username"] = spelled["settings"].pop("user")
    return spelled


def drizzle_over(speller: Callable[[Scenario, Target], Spelled | None]) -> Callable[[Scenario, Target], Spelled | None]:
    """As the driver beneath; in one form with the connection string inside the object."""
    name = "connectionString" if speller is node_postgres else "url"

    def spell(s: Scenario, t: Target) -> Spelled | None:
        spelled = speller(s, t)
        if spelled is None or "dsn" not in spelled or s.form != "keywords":
            return spelled
        return {"settings": {name: spelled["dsn"]}, "env": spelled["env"]}

    return spell
