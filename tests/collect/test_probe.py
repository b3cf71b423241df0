"""The probe tells what every server serves, raises for none, and leaves nothing alarming in a server's log."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.collect.probe import Answer, Pace, Target, parse_target, probe, to_evidence
from reroot.errors import InputError
from reroot.lab import ca
from reroot.lab.postgres import Installation, Postgres, installations
from reroot.model import Accepts

ROOT = ca.root("probe root")
MIDDLE = ca.intermediate(ROOT, "probe middle")
LEAF = ca.leaf(MIDDLE, "db.bed.test", "127.0.0.1")
CHAIN = (LEAF.der, MIDDLE.der, ROOT.der)
PAIR = (ca.bundle(LEAF, MIDDLE, ROOT), LEAF.key_pem)
QUICK = Pace(at_once=8, per_second=1000, burst=1000)
ALARMING = ("could not", "reset", "EOF", "invalid", "error", "FATAL", "WARNING")


@pytest.fixture(scope="module", params=installations(), ids=lambda i: f"postgresql-{i.major}")
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    installation: Installation = request.param
    with Postgres(PAIR, installation=installation) as running:
        yield running


@contextmanager
def answering(talk: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[int]:
    """A server on a free port which has *talk* with each client, one after the other; gives its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:

        def run() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    try:
                        talk(client)
                    except (OSError, EOFError):
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def saying(*words: bytes | None) -> Callable[[socket.socket], None]:
    """Says its words; None waits for the client's next."""

    def talk(client: socket.socket) -> None:
        client.recv(8)
        for word in words:
            if word is None:
                client.recv(4096)
            else:
                client.sendall(word)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass

    return talk


def serving(folder: Path, pair: tuple[bytes, bytes], **limits: object) -> Callable[[socket.socket], None]:
    """TLS after SSLRequest, by OpenSSL, with any certificate it can load."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(pair[0])
    key.write_bytes(pair[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    for name, value in limits.items():
        setattr(context, name, value)
    context.load_cert_chain(chain, key)

    def talk(client: socket.socket) -> None:
        if client.recv(8) == bytes.fromhex("0000000804d2162f"):
            client.sendall(b"S")
            with context.wrap_socket(client, server_side=True) as tls:
                tls.recv(1)

    return talk


def only(*targets: Target, **options: object):
    (found,) = probe(targets, pace=QUICK, **options)
    return found


# ── what a real server shows ─────────────────────────────────────────────────────────────────────


def test_a_real_server_shows_its_chain_its_protocol_and_its_cipher(server):
    found = only(Target("127.0.0.1", server.port))
    assert (found.answer, found.chain, found.address) == (Answer.TLS, CHAIN, "127.0.0.1")
    assert found.protocol == "TLSv1.3"
    assert found.cipher.startswith("TLS_")


def test_fifty_probes_leave_no_alarming_line_in_the_server_s_log(server):
    before = len(server.log_lines)
    targets = [Target(f"n{i}.bed.test", server.port, "127.0.0.1") for i in range(50)]
    assert [p.answer for p in probe(targets, pace=QUICK)] == [Answer.TLS] * 50
    # The server's processes have hung up, so each has written what it had to say; the log's reader gets a later line to wait for.
    server.reload()
    lines = server.log_lines[before:]
    assert sum("connection received" in line for line in lines) == 50
    assert not [line for line in lines if any(word in line for word in ALARMING)]


def test_direct_tls_is_spoken_from_17_on_and_an_older_server_is_named_as_the_cause(server):
    found = only(Target("127.0.0.1", server.port), direct=True)
    if server.installation.major >= 17:
        assert (found.answer, found.chain) == (Answer.TLS, CHAIN)
    else:
        assert found.answer is Answer.HANDSHAKE_FAILED
        assert "`--direct`" in found.hint


def test_a_new_certificate_is_seen_by_the_next_probe(server):
    other = ca.leaf(ROOT, "db.bed.test")
    server.present((ca.bundle(other), other.key_pem))
    try:
        assert only(Target("127.0.0.1", server.port)).chain == (other.der,)
    finally:
        server.present(PAIR)


def test_a_server_without_tls_says_so():
    with Postgres(accepts=Accepts.NO_TLS) as plain:
        found = only(Target("127.0.0.1", plain.port))
    assert (found.answer, found.chain) == (Answer.NO_TLS, ())
    assert "`ssl = on`" in found.hint
    assert found.has_answered


# ── certificates that nobody should have ─────────────────────────────────────────────────────────

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
WEAK = ca.root("weak", key="rsa1024")
NEVER = datetime(2999, 1, 1, tzinfo=UTC)


def negative_serial() -> ca.Issued:
    """A certificate whose serial number was turned negative after it was signed, so that its signature is wrong as well."""
    good = ca.leaf(ROOT, "garbage.bed.test", serial=0x7F << 56)
    der = good.der.replace(b"\x02\x08\x7f\0", b"\x02\x08\xff\0", 1)
    assert der != good.der
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ca.Issued(ca.x509.load_der_x509_certificate(der), good.key)


@pytest.mark.parametrize(
    ("make", "limits"),
    [
        pytest.param(lambda: ca.leaf(ROOT, "x", not_before=LONG_AGO, not_after=LONG_AGO + ca.DAY), {}, id="expired"),
        pytest.param(lambda: ca.leaf(ROOT, "x", not_before=NEVER, not_after=NEVER + ca.DAY), {}, id="not-yet-valid"),
        pytest.param(lambda: ca.issue(None, None), {}, id="no-subject"),
        pytest.param(negative_serial, {}, id="negative-serial-and-wrong-signature"),
        pytest.param(lambda: ca.leaf(ROOT, *[f"n{i}.bed.test" for i in range(3000)]), {}, id="three-thousand-names"),
        pytest.param(lambda: ca.leaf(WEAK, "x", key="rsa1024", signature="sha1"), {}, id="rsa-1024-sha-1"),
        pytest.param(lambda: ca.leaf(ROOT, "x", key="ed25519"), {}, id="ed25519"),
        pytest.param(lambda: ca.leaf(ROOT, "x", unknown_critical=True, ca=True), {}, id="unknown-critical-extension"),
        pytest.param(lambda: ca.leaf(ROOT, "x"), {"maximum_version": ssl.TLSVersion.TLSv1_2}, id="tls-1.2"),
    ],
)
def test_any_certificate_is_shown_as_served(make, limits, tmp_path):
    issued = make()
    with answering(serving(tmp_path, (ca.bundle(issued), issued.key_pem), **limits)) as port:
        found = only(Target("127.0.0.1", port))
    assert (found.answer, found.why, found.chain) == (Answer.TLS, "", (issued.der,))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_a_server_of_the_last_century_is_seen_too(tmp_path):
    issued = ca.leaf(ca.root("old", key="rsa2048"), "x", key="rsa2048")
    limits = {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1}
    with answering(serving(tmp_path, (ca.bundle(issued), issued.key_pem), **limits)) as port:
        found = only(Target("127.0.0.1", port))
    assert (found.answer, found.protocol, found.chain) == (Answer.TLS, "TLSv1", (issued.der,))


# ── what is no answer ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "answer", "says"),
    [
        pytest.param((), Answer.NOT_POSTGRESQL, "hung up without an answer", id="hangs-up"),
        pytest.param((b"N",), Answer.NO_TLS, "does not offer TLS", id="no"),
        pytest.param((b"SSH-2.0-OpenSSH_9.2\r\n",), Answer.NOT_POSTGRESQL, "an SSH server", id="ssh"),
        pytest.param((b"HTTP/1.1 400 Bad Request\r\n\r\n",), Answer.NOT_POSTGRESQL, "a web server", id="http"),
        pytest.param((b"\x15\x03\x01\0\2\2\x28",), Answer.NOT_POSTGRESQL, "wants TLS from the first byte", id="tls-alert"),
        pytest.param((b"J\0\0\0\n8.0.36\0",), Answer.NOT_POSTGRESQL, "8.0.36", id="mysql"),
        pytest.param((b"Smuggled",), Answer.NOT_POSTGRESQL, "7 more bytes", id="bytes-before-the-handshake"),
        pytest.param((b"S",), Answer.HANDSHAKE_FAILED, "hung up during the handshake", id="yes-and-gone"),
        pytest.param((b"S", None, b"\x15\x03\x03\0\2\2\x28"), Answer.HANDSHAKE_FAILED, "handshake", id="yes-and-an-alert"),
        pytest.param((b"Ecould not fork new process: no memory\n\0",), Answer.ERROR, "could not fork", id="old-error"),
        pytest.param((b"E\0\0\0\x1dSFATAL\0", b"C53300\0Mtoo many\0\0"), Answer.ERROR, "said: too many", id="two-pieces"),
        pytest.param((b"E\0\0\0\x10Mcut",), Answer.ERROR, "the server said", id="torn-error"),
        pytest.param((b"E\0\0\0\x06xx",), Answer.NOT_POSTGRESQL, "error response", id="broken-error"),
    ],
)
def test_every_other_answer_is_a_value_with_its_cause(words, answer, says):
    with answering(saying(*words)) as port:
        found = only(Target("127.0.0.1", port))
    assert found.answer is answer
    assert says in found.why
    assert found.hint
    assert found.where == f"127.0.0.1:{port}"


def test_a_server_that_never_stops_talking_is_given_up_on():
    def talk(client: socket.socket) -> None:
        client.recv(8)
        client.sendall(b"S")
        while client.recv(65536):
            while True:
                client.sendall(b"\x16\x03\x03\x40\0" + b"\x02\xff\xff\xff" * 4096)

    with answering(talk) as port:
        assert only(Target("127.0.0.1", port)).answer is Answer.HANDSHAKE_FAILED


def test_a_refused_connection_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = only(Target("127.0.0.1", port))
    assert (found.answer, found.why) == (Answer.REFUSED, "the connection was refused")


@pytest.mark.parametrize("words", [pytest.param(b"", id="before-the-answer"), pytest.param(b"S", id="in-the-handshake")])
def test_a_silent_server_times_out_and_holds_up_nobody(words):
    release = threading.Event()

    def talk(client: socket.socket) -> None:
        client.sendall(words)
        release.wait()

    with answering(talk) as silent, answering(saying(b"N")) as other:
        found = list(probe([Target("127.0.0.1", silent), Target("127.0.0.1", other)], timeout=0.3, pace=QUICK))
        release.set()
    assert [(p.target.port, p.answer) for p in found] == [(other, Answer.NO_TLS), (silent, Answer.TIMED_OUT)]
    assert "`--timeout`" in found[1].hint


def test_a_name_that_does_not_resolve_is_named_and_holds_up_nobody():
    with answering(saying(b"N")) as port:
        found = {p.target.host: p for p in probe([Target("no-such-host.invalid", 5432), Target("127.0.0.1", port)], pace=QUICK)}
    assert found["127.0.0.1"].answer is Answer.NO_TLS
    assert found["no-such-host.invalid"].answer is Answer.UNRESOLVED
    assert "does not resolve" in found["no-such-host.invalid"].why


def test_a_host_that_is_no_name_is_told_not_raised():
    assert only(Target("a" * 80 + ".test")).answer is Answer.UNRESOLVED
    with answering(saying(b"S")) as port:
        assert only(Target("." + "ü" * 300, port, "127.0.0.1")).answer is Answer.HANDSHAKE_FAILED


def test_a_server_that_does_not_hang_up_after_the_farewell_has_answered_all_the_same(tmp_path):
    release = threading.Event()
    serve = serving(tmp_path, PAIR)

    def talk(client: socket.socket) -> None:
        keep = client.dup()
        serve(client)
        release.wait()
        keep.close()

    with answering(talk) as port:
        assert only(Target("127.0.0.1", port), timeout=0.5).answer is Answer.TLS
        release.set()


# ── many ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_target_named_twice_is_probed_once():
    with answering(saying(b"N")) as port:
        targets = [parse_target(t) for t in (f"127.0.0.1:{port}", f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST.:{port}")]
        found = list(probe(targets, pace=QUICK))
    assert sorted(p.target.host for p in found if p.address == "127.0.0.1") == ["127.0.0.1", "localhost"]


def test_an_ipv6_address_is_probed():
    with answering(saying(b"N"), "::1") as port:
        found = only(parse_target(f"[0:0::1]:{port}"))
    assert (found.answer, found.where) == (Answer.NO_TLS, f"[::1]:{port}")


def test_an_address_given_with_a_name_is_dialled_and_the_name_is_sent(tmp_path):
    names: list[str | None] = []
    serve = serving(tmp_path, PAIR, sni_callback=lambda sock, name, context: names.append(name))
    with answering(serve) as port:
        found = only(Target("db.bed.test", port, "127.0.0.1"))
        only(Target("db.bed.test", port, "127.0.0.1"), server_name="other.bed.test")
        only(Target("127.0.0.1", port))
    assert found.where == f"db.bed.test:{port} (127.0.0.1)"
    assert names == ["db.bed.test", "other.bed.test", None]


def test_equal_chains_are_held_once(tmp_path):
    with answering(serving(tmp_path, PAIR)) as port:
        found = list(probe([Target(f"n{i}", port, "127.0.0.1") for i in range(5)], pace=QUICK))
    assert len({id(p.chain) for p in found}) == 1


def test_targets_are_read_as_they_are_needed_and_answers_come_before_the_source_ends():
    with answering(saying(b"N")) as port:
        answers = probe((Target(f"n{i}", port, "127.0.0.1") for i in range(10**9)), pace=QUICK)
        assert next(answers).answer is Answer.NO_TLS
        answers.close()


def test_more_targets_than_this_process_may_open_are_all_answered(monkeypatch):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ports: list[int] = []
    with answering(saying(b"N")) as port:
        ports.append(port)
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
        try:
            found = list(probe([Target(f"n{i}", port, "127.0.0.1") for i in range(200)], pace=Pace(200, 1e6, 1000)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(found) == 200


# ── words ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "target"),
    [
        pytest.param("db.bed.test", Target("db.bed.test", 5432), id="name"),
        pytest.param("DB.bed.test.:6432", Target("db.bed.test", 6432), id="name-and-port"),
        pytest.param("10.0.0.1:1", Target("10.0.0.1", 1), id="address-and-port"),
        pytest.param("::1", Target("::1", 5432), id="ipv6"),
        pytest.param("[2001:DB8::0:1]:65535", Target("2001:db8::1", 65535), id="ipv6-and-port"),
        pytest.param("[::1]", Target("::1", 5432), id="ipv6-in-brackets"),
    ],
)
def test_targets_are_read_as_people_write_them(text, target):
    assert parse_target(text) == target
    assert parse_target(str(target)) == target


@pytest.mark.parametrize(
    "text",
    ["", ":5432", "db:", "db:0", "db:65536", "db:x", "db:\u0661", "[::1", "[::1]x", "[db]:1", "a b", "1:2:3", "/run", "host=h"],
)
def test_what_is_no_target_is_refused_with_a_hint(text):
    with pytest.raises(InputError):
        parse_target(text)


@pytest.mark.parametrize("text", ["postgresql://u:hunter2@h/d", "host=h password=hunter2", "host=h password = 'hunter2 x'"])
def test_a_password_given_by_mistake_is_not_repeated(text):
    with pytest.raises(InputError) as caught:
        parse_target(text)
    assert "hunter2" not in caught.value.message


@given(st.text(max_size=30))
def test_any_text_is_a_target_or_refused(text):
    try:
        target = parse_target(text)
    except InputError:
        return
    assert 0 < target.port < 65536
    assert parse_target(str(target)) == target


def test_evidence_holds_the_chain_or_the_cause(server):
    seen = to_evidence(only(Target("127.0.0.1", server.port)))
    assert (seen.kind, seen.subject) == ("served-chain", f"127.0.0.1:{server.port}")
    assert seen.facts["chain"] == [der.hex() for der in CHAIN]
    with answering(saying()) as port:
        unseen = to_evidence(only(Target("127.0.0.1", port)))
    assert (unseen.kind, unseen.facts["why"]) == ("unreadable", "hung up without an answer")
