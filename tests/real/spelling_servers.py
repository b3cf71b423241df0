"""How servers and poolers that are clients themselves write a scenario: dblink, postgres_fdw, PgBouncer, Pgpool-II; and frameworks over libpq."""

from __future__ import annotations

from .scenarios import Scenario
from .spelling import Spelled, Target, libpq


def pgbouncer(s: Scenario, t: Target) -> Spelled | None:
    if s.mode_at == "env" or s.store_at != "setting" or (s.crl and s.crl_at != "home") or s.extra is not None:
        return None
    options = {"host": s.host, "port": str(t.port), "dbname": t.database, "user": t.user}
    if s.mode is not None:
        options["server_tls_sslmode"] = s.mode
    if s.store is not None:
        options["server_tls_ca_file"] = t.store(s) or ""
    return {"settings": options, "env": {}}


def pgpool(s: Scenario, t: Target) -> Spelled | None:
    """It has no modes: `ssl` is on or off, and a CA makes the chain count."""
    asks = {None: None, "disable": "off", "prefer": "on", "verify-ca": "on"}
    if (
        s.mode not in asks
        or s.mode_at == "env"
        or s.store_at != "setting"
        or s.extra is not None
        or (s.crl and s.crl_at != "home")
    ):
        return None
    options = {"backend_hostname0": s.host, "backend_port0": str(t.port)}
    if asks[s.mode]:
        options["ssl"] = asks[s.mode] or ""
    if s.mode == "verify-ca" and s.store is not None:
        options["ssl_ca_cert"] = t.store(s) or ""
    return {"settings": options, "env": {}}


def php_pgsql(s: Scenario, t: Target) -> Spelled | None:
    spelled = libpq(s, t)
    return spelled if spelled and "dsn" in spelled else None


def rails(s: Scenario, t: Target) -> Spelled | None:
    if s.extra in ("service", "two-hosts", "hostaddr-only"):
        return None
    spelled = libpq(s, t)
    if spelled is None:
        return None
    if "settings" in spelled:
        renamed = {"user": "username", "dbname": "database"}
        return spelled | {"settings": {renamed.get(k, k): v for k, v in spelled["settings"].items()}}
    return spelled if spelled["dsn"].startswith("postgresql://") else None


def dblink(s: Scenario, t: Target) -> Spelled | None:
    spelled = php_pgsql(s, t)
    return spelled if _of_a_server(s, spelled) else None


def subscription(s: Scenario, t: Target) -> Spelled | None:
    return dblink(s, t) if s.accepts in ("hostssl", "hostnossl") and s.extra not in ("two-hosts", "socket") else None


def postgres_fdw(s: Scenario, t: Target) -> Spelled | None:
    spelled = libpq(s, t)
    return spelled if _of_a_server(s, spelled) and spelled and "settings" in spelled else None


def _of_a_server(s: Scenario, spelled: Spelled | None) -> bool:
    """Its environment and its home folder stay as they are; its socket is no place for another's."""
    at_home = "home" in (s.store is not None and s.store_at, s.crl is not None and s.crl_at) or s.home_store is not None
    return spelled is not None and not spelled["env"] and not at_home
