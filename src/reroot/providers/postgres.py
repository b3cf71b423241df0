"""
Self-managed PostgreSQL: a certificate pair in files, switched in one rename and read again by a reload.

Nothing here says whether it worked. PostgreSQL keeps serving the old pair when the new one does not load, while
``pg_reload_conf()`` returns true all the same (src/backend/libpq/be-secure-openssl.c, ``be_tls_init``: "SSL configuration was
not reloaded"); only a handshake tells.

Options in the inventory:

    certificate, key            the server's ssl_cert_file and ssl_key_file; asked of the server when only `dsn` is given
    next_certificate, next_key  the pair to serve: chain leaf first, key not encrypted
    data_directory              its postmaster gets SIGHUP, or
    reload                      a command (a list of words) that makes the server read its files again, or
    dsn                         a login that may call pg_reload_conf(); best over the local socket, which needs no TLS
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..collect.inventory import decode
from ..errors import ProviderError, RollbackFailed
from ..model import Secret
from ._pair import Pair, chain_of, faults
from ._provider import Found, Notes, Provider, Site
from ._versions import NEXT, PREVIOUS, Layout, Versions

RELOAD_SECONDS = 30
Execute = Callable[[str], str]


@dataclass(frozen=True)
class Options:
    next_certificate: str
    next_key: str
    certificate: str = ""
    key: str = ""
    data_directory: str = ""
    reload: tuple[str, ...] = ()
    dsn: Secret | None = field(default=None, repr=False)


def discover(site: Site) -> Found:
    """What is configured and what is to come, from the files alone."""
    options = _options(site)
    with _as_provider_error(site, "discover"):
        versions = _versions(site, options)
        configured, previous, following = versions.read(), versions.read(PREVIOUS), _next(site, options)
        notes = [*versions.refusals()]
        if versions.layout is Layout.PLAIN:
            notes.append(f"`{versions.certificate}` and `{versions.key}` will become links into `{versions.folder}`")
            if options.data_directory and versions.certificate.is_relative_to(site.base / options.data_directory):
                notes.append("pg_basebackup leaves links in the data directory out: a standby built later needs its own pair")
        return Found(
            chain_of(configured.certificate) if configured else (),
            following.chain,
            previous.chain if previous else (),
            versions.layout.value,
            tuple(notes),
        )


def stage(site: Site, when: datetime) -> Notes:
    """Put the next pair beside the current one, after everything that can be known of it beforehand was checked."""
    options = _options(site)
    with _as_provider_error(site, "stage"):
        versions = _versions(site, options)
        configured = versions.read()
        pair = _next(site, options)
        against = [
            *versions.refusals(),
            *faults(pair, root=site.next_root, instead_of=configured.chain if configured else (), when=when),
        ]
        if against:
            raise ProviderError("; ".join(against), where=site.name, step="stage", hint="nothing was changed on the server")
        with versions.locked():
            versions.stage(pair)
    return (f"staged `{pair.chain[0].fingerprint[:16]}` in `{versions.folder}`",)


def cut_over(site: Site) -> Notes:
    """Switch to the staged pair and have the server read it; on failure the pair is switched back."""
    options = _options(site)
    with _as_provider_error(site, "cut over"):
        versions = _versions(site, options)
        staged = versions.read(NEXT)
        if staged is None or staged.chain != _next(site, options).chain:
            raise ProviderError("the pair to serve is not the one that was staged", where=site.name, step="cut over")
        with versions.locked():
            versions.adopt()
            try:
                versions.switch(NEXT)
                told = _reload(site, options)
            except Exception:
                versions.switch(PREVIOUS)
                raise
    return (told,)


def roll_back(site: Site) -> Notes:
    """Switch back to the pair that was served before the last cut-over."""
    options = _options(site)
    with _as_provider_error(site, "roll back"):
        versions = _versions(site, options)
        if versions.read(PREVIOUS) is None:
            return ("nothing was staged here, so there is nothing to take back",)
        with versions.locked():
            if versions.layout is not Layout.PLAIN:
                versions.switch(PREVIOUS)
            try:
                told = _reload(site, options)
            except ProviderError as error:
                raise RollbackFailed(
                    f"the old pair is in place, but the server did not read it: {error.message}",
                    where=site.name,
                    step="roll back",
                    hint="reload the server by hand: `SELECT pg_reload_conf()`",
                ) from None
    return (told,)


def describe(site: Site) -> Notes:
    options = _options(site)
    found = discover(site)
    how = "SIGHUP to the postmaster" if options.data_directory else " ".join(options.reload) or "`SELECT pg_reload_conf()`"
    fresh = f"`{found.next[0].title}` ({found.next[0].fingerprint[:16]})" if found.next else "an unknown pair"
    return (f"switch the pair to {fresh} in one rename, then reload with {how}", *found.notes)


PROVIDER = Provider(
    title="self-managed PostgreSQL",
    discover=discover,
    stage=stage,
    cut_over=cut_over,
    roll_back=roll_back,
    describe=describe,
)


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _options(site: Site) -> Options:
    options = decode(site.options, Options, f"server `{site.name}`: provider")
    if not (options.data_directory or options.reload or options.dsn):
        raise ProviderError(
            "nothing says how to reload it", where=site.name, hint="give the provider `data_directory`, `reload` or `dsn`"
        )
    return options


def _versions(site: Site, options: Options) -> Versions:
    certificate, key = options.certificate, options.key
    if not (certificate and key):
        if options.dsn is None:
            raise ProviderError(
                "which files the server reads is not known",
                where=site.name,
                hint="give the provider `certificate` and `key`, as `SHOW ssl_cert_file` and `SHOW ssl_key_file` say",
            )
        certificate, key = _ask(site, options.dsn)
    return Versions(Path(os.path.abspath(site.base / certificate)), Path(os.path.abspath(site.base / key)))


def _next(site: Site, options: Options) -> Pair:
    return Pair((site.base / options.next_certificate).read_bytes(), (site.base / options.next_key).read_bytes())


def _ask(site: Site, dsn: Secret) -> tuple[str, str]:
    """The server's own word for where its pair is; relative paths there are relative to its data directory."""
    with _connected(site, dsn) as execute:
        certificate, key = execute("SHOW ssl_cert_file"), execute("SHOW ssl_key_file")
        if not (os.path.isabs(certificate) and os.path.isabs(key)):
            folder = execute("SHOW data_directory")
            certificate, key = os.path.join(folder, certificate), os.path.join(folder, key)
    return certificate, key


def _reload(site: Site, options: Options) -> str:
    if options.reload:
        import subprocess

        done = subprocess.run(options.reload, capture_output=True, text=True, timeout=RELOAD_SECONDS, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise ProviderError(f"`{' '.join(options.reload)}` failed: {said[0]}", where=site.name, step="reload")
        return f"ran `{' '.join(options.reload)}`"
    if options.data_directory:
        pid = _postmaster(site, Path(os.path.abspath(site.base / options.data_directory)))
        os.kill(pid, signal.SIGHUP)
        return f"sent SIGHUP to {pid}"
    assert options.dsn is not None
    with _connected(site, options.dsn) as execute:
        execute("SELECT pg_reload_conf()")
    return "called pg_reload_conf()"


def _postmaster(site: Site, data: Path) -> int:
    """The process of *data*; a pid file that outlived its server may name a stranger, who must not get the signal."""
    down = ProviderError("the server is not running", where=site.name, step="reload", hint="start it, then do this again")
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        # The postmaster's working directory is its data directory (src/backend/utils/init/miscinit.c, ChangeToDataDir).
        stranger = Path("/proc/self").exists() and Path(f"/proc/{pid}/cwd").resolve() != data.resolve()
    except (OSError, ValueError, IndexError):
        raise down from None
    if stranger:
        raise down
    return pid


@contextmanager
def _connected(site: Site, dsn: Secret) -> Iterator[Execute]:
    import psycopg

    try:
        with psycopg.connect(dsn.reveal(), connect_timeout=10, application_name="reroot", autocommit=True) as connection:

            def execute(query: str) -> str:
                row = connection.execute(query.encode()).fetchone()
                return str(row[0]) if row else ""

            yield execute
    except psycopg.Error as error:
        # libpq's own message names host, user and database, never the password; the DSN itself is not repeated.
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ProviderError(f"the login for reloads failed: {said}", where=site.name) from None


@contextmanager
def _as_provider_error(site: Site, step: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = f"`{error.filename}`: " if error.filename else ""
        raise ProviderError(f"{place}{error.strerror or error}", where=site.name, step=step) from error
    except ValueError as error:
        raise ProviderError(f"a certificate file is damaged: {error}", where=site.name, step=step) from error
