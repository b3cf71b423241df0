"""How pgAdmin is told of a server: an entry of servers.json, with libpq's own names as connection parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import spelling

if TYPE_CHECKING:
    from .scenarios import Scenario

TOP = {"host": "Host", "port": "Port", "user": "Username", "dbname": "MaintenanceDB", "service": "Service"}


def pgadmin(s: Scenario, t: spelling.Target) -> spelling.Spelled | None:
    """What libpq would be given, under the names of servers.json; None for what the file cannot say."""
    if s.extra == "twice":
        return None
    spelled = spelling.libpq(replace(s, form="settings"), t)
    if spelled is None or "settings" not in spelled:
        return None
    options = dict(spelled["settings"])
    if options.get("sslsni") == "0":
        options["sslsni"] = False
    entry: dict[str, object] = {TOP[name]: options.pop(name) for name in list(options) if name in TOP}
    entry["ConnectionParameters"] = options
    return {"settings": entry, "env": spelled.get("env", {})}
