"""How sqlx and Prisma's engine write a scenario: URLs only, each with words of its own."""

from __future__ import annotations

from .scenarios import Scenario
from .spelling import Spelled, Target, query_of, store_into


def sqlx(s: Scenario, t: Target) -> Spelled | None:
    if s.extra not in (None, "twice", "ssl=true") or (s.crl is not None and s.crl_at != "home"):
        return None
    pairs: list[tuple[str, str]] = [("sslmode", "disable")] if s.extra == "twice" else []
    env: dict[str, str] = {}
    if s.extra == "ssl=true":
        pairs.append(("ssl", "true"))
    elif s.mode is not None and s.mode_at == "env":
        env["PGSSLMODE"] = s.mode
    elif s.mode is not None:
        pairs.append(("ssl-mode" if s.form == "keywords" else "sslmode", s.mode))
    store_into(pairs, env, s, t)
    return {"dsn": _url("postgres", pairs, s, t), "env": env}


def prisma(s: Scenario, t: Target) -> Spelled | None:
    """``verify-full`` is spelled as the engine spells it; where the form says so, the mode is written as libpq's users write it."""
    if s.extra not in (None, "twice", "ssl=true") or (s.crl is not None and s.crl_at != "home"):
        return None
    if s.mode_at == "env" or s.store_at == "env":
        return None
    pairs: list[tuple[str, str]] = [("sslmode", "disable")] if s.extra == "twice" else []
    if s.extra == "ssl=true":
        pairs.append(("ssl", "true"))
    elif s.mode in ("verify-ca", "verify-full") and s.form != "keywords":
        pairs += [("sslmode", "require" if s.mode == "verify-full" else "prefer"), ("sslaccept", "strict")]
    elif s.mode is not None:
        pairs.append(("sslmode", s.mode))
    if s.store is not None and s.store_at == "setting":
        pairs.append(("sslrootcert" if s.form == "keywords" else "sslcert", t.store(s) or ""))
    return {"dsn": _url("postgresql", pairs, s, t), "env": {}}


def _url(scheme: str, pairs: list[tuple[str, str]], s: Scenario, t: Target) -> str:
    query = f"?{query_of(pairs)}" if pairs else ""
    return f"{scheme}://{t.user}@{s.host}:{t.port}/{t.database}{query}"
