"""What `reroot probe` prints, and how it ends."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from reroot.cli import probe as command
from reroot.collect.probe import Answer, Probed, Target
from reroot.errors import InputError
from reroot.lab import ca
from reroot.lab.postgres import Postgres
from reroot.model import Accepts

ROOT = ca.root("corp-root-2019")
LEAF = ca.leaf(ROOT, "db.bed.test", "127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=100, hours=12))
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres((ca.bundle(LEAF, ROOT), LEAF.key_pem)) as running:
        yield running


def run(*words: str, given: str = "") -> Result:
    result = CliRunner().invoke(command.COMMAND, words, input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_chain_is_shown_with_titles_fingerprints_dates_and_names(server):
    result = run(f"127.0.0.1:{server.port}")
    assert result.exit_code == 0
    assert result.stderr == "probing 1 server: a handshake each, no login\n"
    for word in ("corp-root-2019", "db.bed.test, 127.0.0.1", " 100 ", "TLSv1.3", LEAF.certificate.fingerprint(_sha256()).hex()):
        assert word in result.stdout
    assert result.stdout.splitlines()[-1] == "1 address: 1 tls; next: `reroot observe` shows who connects to them"


def test_json_carries_the_schema_and_the_certificates(server):
    told = json.loads(run(f"127.0.0.1:{server.port}", "--json", "-q").stdout)
    assert (told["schema"], told["complete"]) == ("reroot/probe/1", True)
    (one,) = told["servers"]
    leaf = told["certificates"][one["chain"][0]]
    assert (one["answer"], leaf["issuer"], leaf["days_left"]) == ("tls", "corp-root-2019", 100)
    assert leaf["pem"].encode() == LEAF.cert_pem
    assert leaf["dns_names"] == ["db.bed.test"]


def test_a_server_that_does_not_answer_makes_it_incomplete(server):
    result = run(f"127.0.0.1:{server.port}", f"127.0.0.1:{closed_port()}")
    assert result.exit_code == 4
    assert "The connection was refused\nhint: is the server running" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("2 addresses: 1 tls, 1 refused; incomplete")


def test_a_server_without_tls_stands_in_the_way():
    with Postgres(accepts=Accepts.NO_TLS) as plain:
        result = run(f"127.0.0.1:{plain.port}")
    assert result.exit_code == 1
    assert "The server does not offer TLS" in result.stdout


def test_targets_are_read_from_a_list_with_comments(server):
    told = run("--from", "-", "-o", "json", "-q", given=f"# ours\n\n127.0.0.1:{server.port}  # main\n127.0.0.1:{server.port}\n")
    assert [s["port"] for s in json.loads(told.stdout)["servers"]] == [server.port]


def test_a_bad_line_of_a_list_is_named_by_its_number(tmp_path):
    file = tmp_path / "hosts"
    file.write_text("db1\ndb2:x\n")
    with pytest.raises(InputError) as caught:
        run("--from", str(file))
    assert (caught.value.where, caught.value.message) == (f"{file}:2", "`x` is not a port")


def test_a_list_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "hosts"
    file.write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError, match="not a text file"):
        run("--from", str(file))


def test_no_target_is_an_error_with_a_hint():
    with pytest.raises(InputError, match="no server to probe"):
        run()


def probed(*chain: ca.Issued, answer: Answer = Answer.TLS) -> Probed:
    return Probed(Target("db"), "10.0.0.1", answer, NOW, "TLSv1.3", "X", tuple(c.der for c in chain))


@pytest.mark.parametrize(
    ("make", "expected", "says"),
    [
        pytest.param(lambda: probed(LEAF, ROOT), False, " 100 ", id="sound"),
        pytest.param(lambda: probed(ca.leaf(ROOT, "x", not_after=NOW - ca.DAY, not_before=NOW - 9 * ca.DAY)), True, "expired", id="expired"),
        pytest.param(lambda: probed(ca.leaf(ROOT, "x", not_before=NOW + ca.DAY)), True, "not yet valid", id="not-yet-valid"),
        pytest.param(lambda: Probed(Target("db"), "", Answer.TLS, NOW, chain=(b"rubbish",)), True, "unreadable", id="rubbish"),
        pytest.param(lambda: probed(ca.leaf(ROOT, *[f"n{i}" for i in range(20)])), False, "and 12 more", id="many-names"),
        pytest.param(lambda: probed(ROOT), False, "none, only the common name", id="no-names"),
    ],
)
def test_what_is_wrong_with_a_chain_is_said(make, expected, says):
    one = make()
    assert command.stands_in_the_way(one, NOW) is expected
    assert says in command.text([one], NOW)
    assert json.dumps(command.data([one], NOW))


def _sha256():
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()
