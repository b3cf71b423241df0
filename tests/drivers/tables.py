"""What the tables of the drivers share: a client's machine, and a policy said in one line."""

from __future__ import annotations

from collections.abc import Mapping

from reroot import drivers
from reroot.errors import SettingsError
from reroot.lab import ca
from reroot.model import Ask, Given, OnDistrust, RootsFrom, TrustPolicy
from tests.machine import machine

ROOT = ca.root("corp-root").cert_pem
TEXT = ROOT.decode()
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
FILES = {
    "/r.pem": ROOT,
    "/empty.pem": b"",
    "/junk.pem": b"junk",
    "/folder": ("a", "b"),
    "/home/.postgresql/root.crt": ROOT,
    "/home/.pg_service.conf": b"[orders]\nhost=db.corp.test\nsslmode=verify-full\nsslrootcert=/r.pem\n",
    SYSTEM: ROOT,
}
LOOK = machine(FILES)


def client(driver: str, version: str | None, dsn: str | None = None, home: str | None = "/nobody", **more: object) -> Given:
    """The first of the clients that this one may be."""
    given = Given(driver, version, dsn=dsn, home=home, files=LOOK, **more)  # type: ignore[arg-type]
    return drivers.find(driver).possible(given)[0]


def policy(given: Given) -> TrustPolicy:
    driver = drivers.find(given.driver)
    return driver.policy(given, driver.read(given))


ASKS = {Ask.NEVER: "plain", Ask.IF_NEEDED: "allow", Ask.IF_OFFERED: "prefer", Ask.ALWAYS: "tls"}
ROOTS = {
    RootsFrom.NONE: "",
    RootsFrom.SETTING: "setting",
    RootsFrom.ENVIRONMENT: "env",
    RootsFrom.DEFAULT_FILE: "default",
    RootsFrom.SYSTEM: "system",
    RootsFrom.BUNDLED: "bundled",
    RootsFrom.CACERTS: "cacerts",
    RootsFrom.CODE: "code",
}


def said(given: Given) -> str:
    """The policy in words: when TLS is asked for, what is checked against which roots, and what makes it unlike the usual.

    ``error`` for settings that the driver refuses. ``falls`` is a fall to plaintext on distrust, ``plain-ok`` one for a server without TLS.
    """
    try:
        found = policy(given)
    except SettingsError:
        return "error"
    if found.refused is not None:
        return "refused"
    if found.undecidable is not None:
        return "undecidable"
    words = [ASKS[found.ask]]
    if found.blocked is not None:
        return f"{words[0]} blocked"
    if found.chain:
        words.append("full" if found.names else "chain")
        words.append(ROOTS[found.roots.origin] + ("+" + ROOTS[found.roots.default.origin] if found.roots.default else ""))
    if found.on_distrust is OnDistrust.PLAINTEXT and found.chain:
        words.append("falls")
    if found.on_no_tls is OnDistrust.PLAINTEXT and found.ask is not Ask.NEVER:
        words.append("plain-ok")
    if found.direct:
        words.append("direct")
    return " ".join(word for word in words if word)


def rows_have_sources(name: str, given: Given) -> bool:
    """Every reason of a policy says where it is known from."""
    return all(reason.source for reason in policy(given).reasons) and bool(drivers.find(name).source)


def runtime(**versions: str) -> Mapping[str, str]:
    return {name.replace("_", "-"): value for name, value in versions.items()}
