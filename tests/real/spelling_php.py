"""How PHP's frameworks write a scenario: an entry of settings, or a URL in it."""

from __future__ import annotations

from dataclasses import replace

from .scenarios import Scenario
from .spelling import Spelled, Target, libpq, query_of

_URLS = ("twice", "ssl=true")
_NOT_THERE = ("service", "two-hosts", "hostaddr", "hostaddr-only")


def _entry(s: Scenario, t: Target, names: dict[str, str], scheme: str) -> Spelled | None:
    """Words of libpq that the framework does not hand on are given all the same: they have no effect."""
    if s.extra in _NOT_THERE or (s.form == "settings" and s.extra in _URLS):
        return None
    spelled = libpq(s, t)
    if spelled is None:
        return None
    if "settings" in spelled:
        return spelled | {"settings": {names.get(word, word): value for word, value in spelled["settings"].items()}}
    if not spelled["dsn"].startswith("postgresql://") or "@" not in spelled["dsn"]:
        return None
    return spelled | {"dsn": scheme + spelled["dsn"].removeprefix("postgresql")}


def laravel(s: Scenario, t: Target) -> Spelled | None:
    if s.form == "keywords" and s.extra is None and s.mode is not None and s.mode_at == "setting":
        # The entry of a new application beside the URL, which wins.
        url = f"postgres://{t.user}@{s.host}:{t.port}/{t.database}?{query_of({'sslmode': s.mode})}"
        entry = {"sslmode": "prefer"} | ({"sslrootcert": t.store(s)} if s.store is not None and s.store_at == "setting" else {})
        env = {"PGSSLROOTCERT": t.store(s)} if s.store is not None and s.store_at == "env" else {}
        return {"dsn": url, "settings": entry, "env": env}
    return _entry(s, t, {"user": "username", "dbname": "database"}, "pgsql" if s.crl is None else "postgresql")


def doctrine(s: Scenario, t: Target) -> Spelled | None:
    """Parameters of either driver; a URL, with the native driver named beside it (keywords), which the URL's scheme wins over."""
    beside = s.form == "keywords" and s.extra is None
    spelled = _entry(replace(s, form="uri") if beside else s, t, {}, "pgsql" if beside else "postgresql")
    if spelled is None:
        return None
    if "settings" in spelled:
        return spelled | {"settings": {"driver": "pdo_pgsql", **spelled["settings"]}}
    return spelled | {"settings": {"driver": "pgsql"}} if beside else spelled


def doctrine_native(s: Scenario, t: Target) -> Spelled | None:
    spelled = _entry(replace(s, form="settings"), t, {}, "")
    return None if spelled is None else spelled | {"settings": {**spelled["settings"], "driver": "pgsql"}}
