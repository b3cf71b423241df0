"""The stage with real sockets: what it presents, what it makes of hostile guests, and what it leaves behind."""

from __future__ import annotations

import gc
import os
import resource
import socket
import ssl
import struct
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from reroot import wire
from reroot.collect.rehearse import _hello
from reroot.collect.rehearse import _scenes as scenes
from reroot.collect.rehearse._hello import read_hello
from reroot.collect.rehearse._ways import WAYS, leaves_alone
from reroot.collect.rehearse.listen import Watch, listen
from reroot.collect.rehearse.stage import Limits, Stage, networks
from reroot.errors import InputError
from reroot.lab import ca
from reroot.pki import Certificate
from reroot.rehearsal import Act, Ending, Trust

HOST = "db1.lab.test"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def material():
    root = ca.root("next root")
    leaf = ca.leaf(root, HOST)
    return root, leaf


class Theatre:
    """A stage that plays one scene in a thread of its own."""

    def __init__(self, scene, **options):
        self.met = []
        self.cast = scene if callable(scene) else lambda _: scene
        self.stage = Stage(self.cast, self.told, **options)
        self.where = self.stage.listen("127.0.0.1", 0)
        self.over = Event()
        self.came = Event()
        self.thread = Thread(target=self.play, daemon=True)

    def play(self):
        while not self.over.is_set():
            self.stage.turn(0.02)

    def told(self, met):
        self.met.append(met)
        self.came.set()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.stage.__exit__()

    def connect(self):
        return socket.create_connection(self.where, 10)

    def wait(self, n=1):
        until = monotonic() + 20
        while len(self.met) < n and monotonic() < until:
            self.came.wait(0.1)
            self.came.clear()
        return [m.reaction for m in self.met]


    def is_left(self):
        """Whether everybody goes, given the time that a busy machine takes."""
        until = monotonic() + 20
        while self.stage.guests and monotonic() < until:
            self.came.wait(0.01)
            self.came.clear()
        return not self.stage.guests


def tls(sock, roots=None, *, ask=True, version=None):
    if ask:
        sock.sendall(wire.ssl_request())
        assert sock.recv(1) == b"S"
    context = ssl.create_default_context(cadata=roots) if roots else ssl._create_unverified_context()
    context.set_alpn_protocols(["postgresql"])
    if version:
        context.minimum_version = context.maximum_version = version
    return context.wrap_socket(sock, server_hostname=HOST)


def until_closed(sock):
    data = b""
    with suppress(OSError):
        while chunk := sock.recv(4096):
            data += chunk
    return data


LOGIN = wire.startup((("user", "somebody"), ("database", "d"), ("application_name", "x")))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("hold", [0.0, 0.2], ids=["at-once", "held"])
@pytest.mark.parametrize("ask", [True, False], ids=["asked", "direct"])
def test_who_completes_and_logs_in_gets_a_clear_end(material, version, hold, ask):
    with (
        Theatre(scenes.control([HOST], NOW, hold=hold)) as theatre,
        theatre.connect() as raw,
        tls(raw, ask=ask, version=version) as sock,
    ):
        sock.sendall(LOGIN)
        error = wire.read_error(until_closed(sock))
        (reaction,) = theatre.wait()
    assert "rehearsal" in error.message
    assert (reaction.ending, reaction.act, reaction.tls) == (
        Ending.LOGIN,
        Act.CONTROL,
        f"TLSv{version.name[-3:].replace('_', '.')}",
    )
    assert reaction.facts["user"] == "somebody"
    assert reaction.facts["direct"] is not ask


@pytest.mark.parametrize("hold", [0.0, 0.2], ids=["at-once", "held"])
@pytest.mark.parametrize("parts", [1, 2, 3, 9])
def test_a_login_that_comes_in_several_records_at_once_is_read(material, parts, hold):
    context, here, there = ssl._create_unverified_context(), ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = context.wrap_bio(here, there)
    with Theatre(scenes.control([HOST], NOW, hold=hold)) as theatre, theatre.connect() as raw:
        raw.sendall(wire.ssl_request())
        assert raw.recv(1) == b"S"
        while True:
            try:
                talk.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(there.read())
                here.write(raw.recv(16_384))
        for n in range(parts):
            talk.write(LOGIN[n * len(LOGIN) // parts : (n + 1) * len(LOGIN) // parts])
        raw.sendall(there.read())  # the end of the handshake and all of the login, in one segment
        until_closed(raw)
        (reaction,) = theatre.wait()
    assert (reaction.ending, reaction.facts["user"]) == (Ending.LOGIN, "somebody")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_chain_without_its_key_divides_who_trusts_it(material, version, trusted):
    root, leaf = material
    roots = (root if trusted else ca.root("another")).cert_pem.decode()
    with Theatre(scenes.keyless(Act.NEXT, (leaf.der,), 0.3)) as theatre, theatre.connect() as raw:
        with pytest.raises(ssl.SSLError):
            tls(raw, roots, version=version)
        (reaction,) = theatre.wait()
    assert (reaction.ending, reaction.alert) == (Ending.ALERT, 51 if trusted else 48)
    assert (reaction.waited is None) is trusted


def test_a_forged_leaf_divides_who_trusts_the_real_root(material):
    root, _ = material
    for roots, alert in ((root, 51), (ca.root("another"), 48)):
        with Theatre(scenes.forged(Certificate(root.der), [HOST], NOW)) as theatre, theatre.connect() as raw:
            with pytest.raises(ssl.SSLError):
                tls(raw, roots.cert_pem.decode())
            assert theatre.wait()[0].alert == alert


def test_the_control_authority_is_bound_to_the_rehearsed_names_and_a_day():
    leaf, root = map(Certificate, scenes.control([HOST, "10.0.0.7"], NOW).chain)
    assert "REHEARSAL" in root.title
    assert (root.not_after - root.not_before).total_seconds() <= 86400
    assert root.basic_constraints.value.path_length == 0
    assert root.extensions.get_extension_for_class(type(root.name_constraints)).critical
    assert [n.value for n in root.name_constraints.permitted_subtrees if isinstance(n.value, str)] == [HOST]
    assert leaf.dns_names == (HOST,)
    assert leaf.ip_addresses == ("10.0.0.7",)


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a gigabyte start-up": struct.pack("!II", 1 << 30, 196608),
    "zeros": bytes(64),
    "more behind the question": wire.ssl_request() + b"\x16\x03\x01",
    "protocol 2": struct.pack("!II", 296, 2 << 16),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_seen_off_and_changes_nothing_for_others(material, data):
    with Theatre(scenes.control([HOST], NOW)) as theatre:
        with theatre.connect() as hostile:
            hostile.sendall(data)
            assert until_closed(hostile)[:1] in (b"", b"S")
            assert theatre.wait()[0].ending is Ending.NOT_POSTGRESQL
        with theatre.connect() as raw, tls(raw) as sock:
            sock.sendall(LOGIN)
            assert b"rehearsal" in until_closed(sock)


AFTER_S = {"not TLS": b"hello there, server", "an endless hello": b"\x16\x03\x01\xff\xff" + bytes(40_000)}


@pytest.mark.parametrize("data", AFTER_S.values(), ids=AFTER_S)
def test_garbage_in_place_of_a_hello_is_seen_off(data):
    with Theatre(scenes.control([HOST], NOW)) as theatre, theatre.connect() as hostile:
        hostile.sendall(wire.ssl_request())
        assert hostile.recv(1) == b"S"
        with suppress(OSError):
            hostile.sendall(data)
        until_closed(hostile)
        assert theatre.wait()[0].ending is Ending.NOT_POSTGRESQL


def test_a_damaged_handshake_without_the_key_harms_nobody(material):
    _, leaf = material
    with Theatre(scenes.keyless(Act.NEXT, (leaf.der,), 0.1)) as theatre:
        outgoing = ssl.MemoryBIO()
        hello = ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST)
        with suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        good = outgoing.read()
        for at in range(5, len(good), 37):
            with theatre.connect() as hostile:
                hostile.sendall(wire.ssl_request())
                assert hostile.recv(1) == b"S"
                hostile.sendall(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
                hostile.shutdown(socket.SHUT_WR)
                until_closed(hostile)
        assert theatre.thread.is_alive()


def test_half_open_and_slow_guests_are_given_up_and_do_not_disturb_the_others():
    with Theatre(scenes.control([HOST], NOW), limits=Limits(patience=1.0)) as theatre:
        sleepers = [theatre.connect() for _ in range(50)]
        for sleeper in sleepers[25:]:
            sleeper.sendall(wire.ssl_request()[:5])
        with theatre.connect() as raw, tls(raw) as sock:
            sock.sendall(LOGIN)
            assert b"rehearsal" in until_closed(sock)
        assert {until_closed(s) for s in sleepers} == {b""}
        for sleeper in sleepers:
            sleeper.close()
        endings = [r.ending for r in theatre.wait(51)]
    assert endings.count(Ending.SILENT) == 25
    assert endings.count(Ending.NOT_POSTGRESQL) == 25


def test_too_many_and_strangers_are_turned_away():
    with Theatre(scenes.control([HOST], NOW), limits=Limits(per_address=3)) as theatre:
        inside = [theatre.connect() for _ in range(3)]
        with theatre.connect() as one_more:
            assert one_more.recv(1) == b""
        assert theatre.stage.turned_away == 1
        for sock in inside:
            sock.close()
    with Theatre(scenes.control([HOST], NOW), allow=networks(["10.0.0.0/8"])) as theatre, theatre.connect() as stranger:
        assert stranger.recv(1) == b""


def test_one_address_may_not_come_faster_than_its_rate():
    with Theatre(scenes.control([HOST], NOW), limits=Limits(per_second=5)) as theatre:
        away = 0
        for _ in range(20):
            with theatre.connect() as sock, suppress(OSError):
                sock.sendall(wire.cancel_request(1, b"1234"))
                until_closed(sock)
        away = theatre.stage.turned_away
    assert 5 <= away <= 15


def test_memory_stays_flat_over_garbage():
    with Theatre(scenes.control([HOST], NOW), limits=Limits(per_second=1e9)) as theatre:
        theatre.told = lambda met: None
        theatre.stage.told = lambda met: None

        def pester(n):
            for _ in range(n):
                with theatre.connect() as sock:
                    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    until_closed(sock)
            gc.collect()
            return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

        pester(300)
        before = pester(300)
        assert pester(1500) - before < 2 << 20
        assert theatre.is_left()
        assert not theatre.stage._from[theatre.where[0]].open


def test_no_key_is_written_and_no_descriptor_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    with Theatre(scenes.control([HOST], NOW)) as theatre, theatre.connect() as raw, tls(raw) as sock:
        sock.sendall(LOGIN)
        until_closed(sock)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("pem", "message"), [(b"nothing", "not a private key"), (b"", "not a private key")], ids=["garbage", "empty"]
)
def test_an_unusable_key_is_named(material, pem, message):
    with pytest.raises(InputError, match=message):
        scenes.own(Act.NEXT, (material[1].der,), pem)


def test_the_key_of_another_chain_is_refused(material):
    with pytest.raises(InputError, match="does not belong"):
        scenes.own(Act.NEXT, (material[1].der,), material[0].key_pem)


def test_a_hello_names_host_versions_and_stack():
    outgoing = ssl.MemoryBIO()
    client = ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    data = outgoing.read()
    hello = read_hello(data)
    assert (hello.name, hello.takes_1_2, hello.takes_1_3) == (HOST, True, True)
    assert all(read_hello(data[:at]) is None for at in range(len(data)))


def greeting(name: str, protocols: list[str], least: ssl.TLSVersion, most: ssl.TLSVersion) -> bytes:
    context = ssl._create_unverified_context()
    context.minimum_version, context.maximum_version = least, most
    context.set_alpn_protocols(protocols)
    out = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def test_what_was_kept_of_one_hello_is_never_taken_for_another():
    """The same stack twice, then others of the same length: as read with nothing kept."""
    old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    said = [("db1.lab.test", ["postgresql"], old, new), ("db2.lab.test", ["postgresql"], old, new), ("db2.lab.test", ["mysql-9.99"], old, new),
            ("db1.lab.test", ["postgresql"], new, new), ("db1.lab.test", ["postgresql"], old, old)]  # fmt: skip
    hellos = [greeting(*words) for words in (*said, *reversed(said))]
    kept = [read_hello(data) for data in hellos]
    fresh = []
    for data in hellos:
        _hello._shapes.clear()
        fresh.append(read_hello(data))
    assert kept == fresh
    assert [h.name for h in kept[:5]] == [name for name, *_ in said]
    assert [h.protocols for h in kept[:5]] == [tuple(protocols) for _, protocols, *_ in said]
    assert kept[:5] == kept[:4:-1]


def test_a_hello_that_differs_from_a_kept_one_in_any_byte_or_in_its_end_is_read_as_if_nothing_were_kept():
    good = greeting("db1.lab.test", ["postgresql"], ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    others = [good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :] for at in range(len(good)) for bit in (1, 0x80)]
    others += [good[:at] for at in range(len(good))] + [good + b"\x16", good + good]
    for data in others:
        _hello._shapes.clear()
        fresh = read_hello(data)
        _hello._shapes.clear()
        assert read_hello(good) is not None
        assert read_hello(data) == fresh, data.hex()


def test_a_listening_stage_tells_clients_apart_and_concludes_for_each(material):
    root, leaf = material
    watch = Watch([scenes.control([HOST], NOW), scenes.own(Act.NEXT, (leaf.der,), leaf.key_pem)])
    with Theatre(watch.cast) as theatre:
        theatre.stage.told = lambda met: (watch.told(met), theatre.told(met))
        for _ in range(4):
            with theatre.connect() as raw, suppress(ssl.SSLError), tls(raw, root.cert_pem.decode()) as sock:
                sock.sendall(LOGIN)
                until_closed(sock)
            with theatre.connect() as raw, tls(raw, version=ssl.TLSVersion.TLSv1_2) as sock:
                sock.sendall(LOGIN)
                until_closed(sock)
        theatre.wait(8)
    assert sorted(c.trust.value for _, c in watch.conclusions()) == [Trust.TRUSTS.value, Trust.VERIFIES_NOTHING.value]
    assert watch.data()["complete"]
    assert len(watch.evidence()) == 2


UNDOES = {
    "psql by PGHOSTADDR": (["psql"], "PGHOSTADDR", True),
    "its own PGHOSTADDR": (["env", "PGHOSTADDR=10.0.0.1", "psql"], "PGHOSTADDR", False),
    "another variable": (["env", "PGUSER=u", "psql"], "PGHOSTADDR", True),
    "an empty environment": (["env", "-i", "psql"], "PGHOSTADDR", False),
    "an empty environment in a namespace": (["env", "-i", "psql"], "mounts", True),
    "its own PYTHONPATH": (["env", "PYTHONPATH=lib", "python3", "app.py"], "python", False),
    "isolated Python": (["python3", "-I", "app.py"], "python", False),
    "Python that ignores variables": (["python3", "-uE", "app.py"], "python", False),
    "Python": (["python3", "-u", "app.py"], "python", True),
    "its own NODE_OPTIONS": (["env", "NODE_OPTIONS=--x", "node", "a.js"], "node", False),
    "its own JAVA_TOOL_OPTIONS": (["env", "JAVA_TOOL_OPTIONS=-X", "java", "A"], "java", False),
    "its own LD_PRELOAD": (["env", "LD_PRELOAD=x.so", "ruby", "a.rb"], "nss-wrapper", False),
}


def test_a_stage_that_is_interrupted_as_soon_as_it_says_that_it_listens_tells_what_came(material):
    root, leaf = material
    told = []

    def tell(line):
        told.append(line)
        with socket.create_connection(("127.0.0.1", int(line.split()[2].rpartition(":")[2])), 10):
            raise KeyboardInterrupt

    watch = listen("127.0.0.1", 0, [scenes.own(Act.NEXT, (leaf.der, root.der), leaf.key_pem)], tell=tell)
    assert watch.interrupted
    assert watch.data()["clients"] == []
    assert len(told) == 1


@pytest.mark.parametrize(("command", "way", "is_led"), UNDOES.values(), ids=UNDOES)
def test_a_command_that_would_undo_a_way_is_not_led_by_it(command, way, is_led):
    """It would go to the real server."""
    assert leaves_alone(next(w for w in WAYS if w.name == way), command) is is_led
