"""
aiopg: psycopg2, asynchronously.

It goes on watching the socket that libpq opened first. So wherever libpq would try once more (in plaintext after a TLS error in
prefer, with TLS after a refusal in allow) the call waits until it times out: no silent plaintext, but an outage.
"""

from __future__ import annotations

from dataclasses import replace

from ..model import Given, OnDistrust, Reason, Settings, TrustPolicy
from . import _libpq, libpq, psycopg2
from ._driver import Driver

# Arguments of aiopg.connect() and aiopg.create_pool() that are their own.
OWN = frozenset(
    {"timeout", "enable_json", "enable_hstore", "enable_uuid", "echo", "minsize", "maxsize", "pool_recycle", "on_connect"}
)


def read(given: Given) -> Settings:
    options = psycopg2.options(given.options, OWN | psycopg2.OWN, psycopg2.RENAMED)
    return _libpq.effective(given, _libpq.unwaited([*psycopg2.text_pairs(given), *_libpq.from_options(options)]))


SOURCE = "aiopg/connection.py Connection._ready(); run with 1.4.0"


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = libpq.policy(given, settings)
    if not found.on_rejection:
        return found
    text = "aiopg times out where libpq tries again over another connection, in plaintext or with TLS"
    reasons = tuple(r for r in found.reasons if r.code != "silent-plaintext-fallback")
    return replace(
        found, on_distrust=OnDistrust.FAIL, on_rejection=False, reasons=(*reasons, Reason("no-second-attempt", text, SOURCE))
    )


DRIVER = Driver(
    name="aiopg",
    title="aiopg",
    source="https://aiopg.readthedocs.io/en/stable/core.html#aiopg.connect",
    versions="1.x on libpq 12 to 18",
    proven=("1.4",),
    possible=_libpq.possible,
    read=read,
    policy=policy,
)
