"""The pair of a real PostgreSQL is switched in one step, or left alone."""

from __future__ import annotations

import os
import stat
import sys
from datetime import UTC, datetime, timedelta

import pytest

from reroot.errors import InputError, ProviderError, RollbackFailed
from reroot.lab import ca
from reroot.lab.postgres import Postgres
from reroot.pki.certificate import Certificate
from reroot.providers import Site, find, names
from reroot.providers._versions import Versions

NOW = datetime.now(UTC)
OLD, NEXT = ca.root("old root"), ca.root("next root")
CURRENT = ca.leaf(OLD, "db.example", "127.0.0.1")
FOLLOWING = ca.leaf(NEXT, "db.example", "127.0.0.1")
postgres = find("postgres")


@pytest.fixture
def server():
    with Postgres((CURRENT.cert_pem, CURRENT.key_pem), name="provider") as running:
        yield running


def put(folder, pair, name="next"):
    (folder / f"{name}.crt").write_bytes(pair if isinstance(pair, bytes) else pair.cert_pem)
    (folder / f"{name}.key").write_bytes(b"" if isinstance(pair, bytes) else pair.key_pem)


def site_of(server, tmp_path, **options):
    put(tmp_path, FOLLOWING)
    return Site(
        "db",
        server.host,
        server.port,
        Certificate(OLD.der),
        Certificate(NEXT.der),
        {
            "certificate": str(server.folder / "server.crt"),
            "key": str(server.folder / "server.key"),
            "next_certificate": "next.crt",
            "next_key": "next.key",
            "data_directory": str(server.data),
            **options,
        },
        tmp_path,
    )


def serves(server, issued):
    """Waits, by asking again, until the server's reload has come through; the log says when there is no hope."""
    return any(server.served_leaf() == issued.der for _ in range(500))


def state_of(path):
    status = path.stat()
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def test_every_provider_is_found():
    assert "postgres" in names()
    with pytest.raises(InputError, match="`rsd` is no provider"):
        find("rsd")


def test_a_pair_is_staged_cut_over_and_rolled_back(server, tmp_path):
    site = site_of(server, tmp_path)
    key = server.folder / "server.key"
    before = state_of(key), key.read_bytes()

    postgres.stage(site, NOW)
    assert server.served_leaf() == CURRENT.der
    assert (state_of(key), key.read_bytes()) == before
    postgres.cut_over(site)
    assert serves(server, FOLLOWING)
    assert state_of(key) == before[0]
    server.restart()
    assert server.served_leaf() == FOLLOWING.der
    postgres.roll_back(site)
    assert serves(server, CURRENT)
    server.restart()
    assert server.served_leaf() == CURRENT.der
    assert key.read_bytes() == before[1]


def test_every_act_may_be_done_twice(server, tmp_path):
    site = site_of(server, tmp_path)
    for act in (lambda s: postgres.stage(s, NOW), postgres.cut_over):
        act(site), act(site)
    assert serves(server, FOLLOWING)
    postgres.stage(site, NOW)
    postgres.roll_back(site), postgres.roll_back(site)
    assert serves(server, CURRENT)


def test_one_file_for_both_settings_is_switched_in_one_rename(tmp_path):
    with Postgres((CURRENT.key_pem + CURRENT.cert_pem, CURRENT.key_pem), name="combined") as server:
        both = server.folder / "server.crt"
        both.chmod(0o600)
        server.settings = {"ssl_key_file": str(both)}
        server.restart()
        site = site_of(server, tmp_path, key=str(both))
        postgres.stage(site, NOW)
        postgres.cut_over(site)
        assert serves(server, FOLLOWING)
        assert not both.is_symlink()
        assert stat.S_IMODE(both.stat().st_mode) == 0o600
        server.restart()
        postgres.roll_back(site)
        assert serves(server, CURRENT)


def test_the_server_is_asked_where_its_pair_is(server, tmp_path):
    dsn = f"host={server.folder} port={server.port} user=postgres dbname=postgres"
    site = site_of(server, tmp_path, dsn=dsn, certificate="", key="", data_directory="")

    postgres.stage(site, NOW)
    postgres.cut_over(site)

    assert serves(server, FOLLOWING)
    assert "pg_reload_conf()" in postgres.roll_back(site)[0]


FAULTS = {
    "the key of another": (lambda: (FOLLOWING.cert_pem, CURRENT.key_pem), "the private key is not that of `db.example`"),
    "the wrong root": (lambda: (CURRENT.cert_pem, CURRENT.key_pem), "ends with `db.example`, which `next root` did not sign"),
    "no certificate": (lambda: (b"nothing", FOLLOWING.key_pem), "holds no readable certificate"),
    "no key": (lambda: (FOLLOWING.cert_pem, b"nothing"), "holds no readable private key"),
    "a chain upside down": (
        lambda: (NEXT.cert_pem + FOLLOWING.cert_pem, FOLLOWING.key_pem),
        "its first certificate `next root` is a CA",
    ),
    "an expired leaf": (
        lambda: _pair(not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1)),
        "is not valid now",
    ),
    "a leaf that soon ends": (lambda: _pair(not_after=NOW + timedelta(days=1)), "ends within 7 days"),
    "a name that got lost": (lambda: _pair("127.0.0.1"), "does not name `db.example`, which the current certificate does"),
    "a client's certificate": (
        lambda: _pair(extended_key_usage=(ca.ExtendedKeyUsageOID.CLIENT_AUTH,)),
        "does not name server authentication",
    ),
}


def _pair(*given, **defects):
    made = ca.leaf(NEXT, *(given or ("db.example", "127.0.0.1")), **defects)
    return made.cert_pem, made.key_pem


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pair_that_is_not_fit_is_not_staged(fault, tmp_path):
    make, message = FAULTS[fault]
    for name, issued in (("server", CURRENT), ("next", FOLLOWING)):
        put(tmp_path, issued, name)
    for end, content in zip(("crt", "key"), make(), strict=True):
        (tmp_path / f"next.{end}").write_bytes(content)

    with pytest.raises(ProviderError) as raised:
        postgres.stage(plain_site(tmp_path), NOW)

    assert message in raised.value.message
    assert not (tmp_path / "server.crt.reroot").exists()


def plain_site(tmp_path, **options):
    pair = {n: f"{f}" for n, f in (("certificate", "server.crt"), ("key", "server.key"))}
    nexts = {"next_certificate": "next.crt", "next_key": "next.key", "reload": ["true"]}
    return Site("db", "h", 5432, Certificate(OLD.der), Certificate(NEXT.der), pair | nexts | options, tmp_path)


@pytest.fixture
def files(tmp_path):
    put(tmp_path, CURRENT, "server")
    put(tmp_path, FOLLOWING, "next")
    (tmp_path / "server.key").chmod(0o600)
    return tmp_path


def test_everything_that_is_wrong_is_said_at_once(files):
    (files / "next.crt").write_bytes(ca.leaf(OLD, "other.example", not_after=NOW + timedelta(days=1)).cert_pem)

    with pytest.raises(ProviderError) as raised:
        postgres.stage(plain_site(files), NOW)

    assert raised.value.message.count("; ") == 3


def test_a_link_that_another_program_keeps_is_refused(files):
    (files / "server.crt").rename(files / "live.crt")
    (files / "server.crt").symlink_to("live.crt")

    with pytest.raises(ProviderError, match=r"is a link to `live\.crt`"):
        postgres.stage(plain_site(files), NOW)


def test_a_file_with_two_names_is_refused(files):
    os.link(files / "server.key", files / "same.key")

    with pytest.raises(ProviderError, match="has 2 names"):
        postgres.stage(plain_site(files), NOW)


def test_a_pair_that_was_renewed_after_staging_is_not_overwritten(files):
    postgres.stage(plain_site(files), NOW)
    renewed = ca.leaf(OLD, "db.example")
    put(files, renewed, "server")

    with pytest.raises(ProviderError, match="changed after the pair was staged"):
        postgres.cut_over(plain_site(files))

    assert (files / "server.crt").read_bytes() == renewed.cert_pem
    assert (files / "server.key").read_bytes() == renewed.key_pem


def test_another_pair_than_the_staged_one_is_not_cut_over(files):
    postgres.stage(plain_site(files), NOW)
    put(files, ca.leaf(NEXT, "db.example"), "next")

    with pytest.raises(ProviderError, match="not the one that was staged"):
        postgres.cut_over(plain_site(files))


def test_a_failed_reload_switches_the_pair_back(files):
    site = plain_site(files, reload=["false"])
    postgres.stage(site, NOW)

    with pytest.raises(ProviderError, match="`false` failed"):
        postgres.cut_over(site)

    assert (files / "server.crt").read_bytes() == CURRENT.cert_pem
    with pytest.raises(RollbackFailed, match="the server did not read it"):
        postgres.roll_back(site)


def test_a_pid_file_that_outlived_its_server_signals_nobody(files):
    data = files / "data"
    data.mkdir()
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    site = plain_site(files, reload=[], data_directory="data")
    postgres.stage(site, NOW)

    with pytest.raises(ProviderError, match="the server is not running"):
        postgres.cut_over(site)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_private_key_is_never_readable_by_others_not_even_for_a_moment(files, umask):
    seen = []

    def watch(event, arguments):
        if watching and event in ("os.rename", "os.chmod", "open", "os.symlink"):
            seen.extend(p.stat().st_mode & 0o077 for p in files.rglob("server.key") if p.exists())

    watching = True
    sys.addaudithook(watch)
    before = os.umask(umask)
    try:
        postgres.stage(plain_site(files), NOW)
        postgres.cut_over(plain_site(files))
    finally:
        os.umask(before)
        watching = False

    assert seen
    assert set(seen) == {0}


def test_an_option_with_a_typing_error_is_refused_with_the_right_word():
    with pytest.raises(InputError) as raised:
        postgres.discover(Site("db", "h", 1, Certificate(OLD.der), Certificate(NEXT.der), {"next_certifcate": "x"}))

    assert raised.value.hint == "did you mean `next_certificate`?"


def test_what_a_start_would_load_and_what_would_come_is_known_without_changing_anything(files):
    found = postgres.discover(plain_site(files))

    assert [c.der for c in found.configured] == [CURRENT.der]
    assert [c.der for c in found.next] == [FOLLOWING.der]
    assert found.previous == ()
    assert not (files / "server.crt.reroot").exists()
    assert "will become links" in found.notes[0]


def test_two_at_once_are_refused(files):
    versions = Versions(files / "server.crt", files / "server.key")
    with versions.locked(), pytest.raises(ProviderError, match="another reroot"):
        postgres.stage(plain_site(files), NOW)
