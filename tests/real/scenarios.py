"""
Scenarios: what a server presents and a client was given, said without any driver's spelling.

``scenarios(count, seed)`` yields the same list for the same arguments: first, in turn, the crossings in which drivers are known
to differ (each as a full table), mixed by a seeded shuffle; then, for as many as are asked, every dimension at random.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from .material import CHAINS, CRLS, NAMES, STORES
from .stray import SPELLINGS, WORDS, drawn

MODES = (None, "disable", "allow", "prefer", "require", "verify-ca", "verify-full")
HOSTS = ("db1.lab.test", "DB1.Lab.Test", "localhost", "127.0.0.1", "other.lab.test", "a.db1.lab.test", "db1.lab.test.")
ACCEPTS = ("hostssl", "host", "hostnossl", "no-tls")
SERVERS = (15, 17, 18)
PLACES = ("setting", "env", "home")
FORMS = ("settings", "uri", "keywords")
EXTRAS = (
    "hostaddr", "hostaddr-only", "no-sni", "direct", "tls-1.2", "system", "system-file", "ssl=true", "context", "twice",
    "service", "blind-factory", "java-factory", "single-factory", "channel-binding", "socket",
    "two-hosts", "crl-folder", "crl-hashed", "gss-require", "gss-disable", "node-extra",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """One situation. ``store`` is a kind of trust store and ``store_at`` where the client finds it (None: it has none).

    ``home_store`` is what lies in the home folder although a setting names another; ``form`` is how settings are written.
    ``extra`` is one thing more: a name of EXTRAS, which a driver without such a thing leaves out.
    ``stray`` is a word too many, ``name=value``.
    """

    chain: str = "new"
    host: str = "db1.lab.test"
    accepts: str = "hostssl"
    server: int = 15
    mode: str | None = "verify-full"
    mode_at: str = "setting"
    store: str | None = None
    store_at: str = "setting"
    home_store: str | None = None
    crl: str | None = None
    crl_at: str = "setting"
    form: str = "settings"
    extra: str | None = None
    stray: str | None = None


def scenarios(count: int, seed: int = 20271123) -> Iterator[Scenario]:
    """*count* scenarios, the first third of which are drawn from the tables and stay the same as *count* grows."""
    chance = random.Random(seed)
    tables = list(_tables())
    chance.shuffle(tables)
    mixed = _at_random(chance)
    for number in range(count):
        # Two rows of the tables, then one in which everything is thrown together.
        if number % 3 < 2 and tables:
            yield _varied(tables.pop(), chance)
        else:
            yield next(mixed)


def _varied(scenario: Scenario, chance: random.Random) -> Scenario:
    """The dimensions that a table does not fix are drawn, where they should not matter but might."""
    return replace(scenario, server=chance.choice(SERVERS), form=chance.choice(FORMS))


def _tables() -> Iterator[Scenario]:
    verifying = ("require", "verify-ca", "verify-full")
    # Chains, with the right root, none and a wrong one.
    for chain, mode, store in product(CHAINS, ("prefer", "verify-ca", "verify-full"), ("right", "wrong")):
        yield Scenario(chain=chain, mode=mode, store=store)
    for chain, store in product(CHAINS, ("intermediate-only", "leaf-only", "right-last", "new-old", "reissued")):
        yield Scenario(chain=chain, mode="verify-full", store=store)
    # Trust stores, under each way to verify, and with the fall to plaintext open.
    for store, mode, chain in product(STORES, (*verifying, "prefer"), ("new", "intermediate")):
        yield Scenario(store=store, mode=mode, chain=chain, accepts="host")
    for store, chain in product(STORES, ("cross", "two", "cross-intermediate", "self-signed", "intermediate-missing")):
        yield Scenario(store=store, chain=chain, mode="verify-ca")
    # Names.
    for chain, host in product(NAMES, HOSTS):
        yield Scenario(chain=chain, host=host, store="right")
    for chain, mode in product(NAMES, ("require", "verify-ca")):
        yield Scenario(chain=chain, mode=mode, store="right")
    # What the server takes, against what the client asks for and trusts, wherever its root lies.
    for accepts, mode, store, place in product(ACCEPTS, MODES, (None, "right", "wrong", "empty", "missing"), PLACES):
        if store is not None or place == "setting":
            yield Scenario(accepts=accepts, mode=mode, store=store, store_at=place)
    for accepts, mode, place in product(ACCEPTS, MODES, ("wrong", "right")):
        yield Scenario(accepts=accepts, mode=mode, store="right", store_at="setting", home_store=place)
        yield Scenario(accepts=accepts, mode=mode, mode_at="env", store="right", store_at="env", home_store=place)
    # Revocation lists.
    for crl, place, chain, mode in product(
        CRLS, ("setting", "env", "home"), ("new", "intermediate", "cross", "old", "self-signed"), ("require", "verify-full")
    ):
        yield Scenario(crl=crl, crl_at=place, chain=chain, mode=mode, store="right")
    for crl, place in product(CRLS, ("setting", "env", "home")):
        yield Scenario(crl=crl, crl_at=place, extra="system-file", mode="verify-full", store="right")
    for crl, mode in product(CRLS, MODES):
        yield Scenario(crl=crl, crl_at="home", mode=mode, store=None)
        yield Scenario(crl=crl, crl_at="home", mode=mode, store="right", store_at="home", accepts="host")
    for crl, mode, chain in product(CRLS, verifying, ("new", "intermediate", "cross")):
        yield Scenario(crl=crl, extra="crl-hashed", mode=mode, chain=chain, store="right")
    for store, mode, chain in product(
        ("right", "wrong", "new-old", "damaged-first", "empty", "missing"), (*verifying, "prefer"), ("new", "two")
    ):
        yield Scenario(store=store, mode=mode, chain=chain, extra="node-extra")
    # Keys that may not sign have no cipher of TLS 1.2.
    for chain, mode in product(("odd-ku", "new", "rsa", "ec384", "ed25519"), MODES):
        yield Scenario(chain=chain, mode=mode, extra="tls-1.2", store="right", accepts="host")
    # A word too many, and modes badly written.
    for (name, value), mode in product(WORDS, ("verify-full", "prefer")):
        yield Scenario(stray=f"{name}={value}", mode=mode, store="right", accepts="host")
    for written, mode in product(SPELLINGS, ("require", "verify-full")):
        yield Scenario(stray=f"sslmode={written}", mode=mode, store="right", accepts="host")
    # One thing more.
    for extra, mode, host, accepts in product(EXTRAS, MODES, ("db1.lab.test", "127.0.0.1"), ("hostssl", "host")):
        yield Scenario(extra=extra, mode=mode, host=host, accepts=accepts, store="right")
    for extra, mode, store in product(EXTRAS, MODES, (None, "wrong", "missing")):
        yield Scenario(extra=extra, mode=mode, store=store, accepts="host")


def _at_random(chance: random.Random) -> Iterator[Scenario]:
    while True:
        store = chance.choice((None, "right", "right", "right", *STORES))
        place = chance.choice(("setting", "setting", *PLACES))
        chain = chance.choice(CHAINS if chance.random() < 0.7 else NAMES)
        yield Scenario(
            chain=chain,
            host=chance.choice(HOSTS if chain in NAMES else ("db1.lab.test",) * 6 + HOSTS),
            accepts=chance.choice((*ACCEPTS, "hostssl", "host")),
            server=chance.choice(SERVERS),
            mode=chance.choice((*MODES, "require", "verify-ca", "verify-full", "verify-full")),
            mode_at=chance.choice(("setting", "setting", "setting", "env")),
            store=store,
            store_at=place,
            home_store=chance.choice((None, None, None, "right", "wrong", "new", "old")) if place != "home" else None,
            crl=chance.choice((None,) * 12 + CRLS),
            crl_at=chance.choice(("setting", "env", "home")),
            form=chance.choice(FORMS),
            extra=chance.choice((None,) * 30 + EXTRAS),
            stray=drawn(chance) if chance.random() < 0.25 else None,
        )
