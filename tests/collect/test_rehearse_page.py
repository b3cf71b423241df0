"""The page that a listening stage is watched by: who may read it, and that a stranger's words stay words."""

from __future__ import annotations

import http.client
import json
import re
import socket
from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from reroot.collect.rehearse import _scenes as scenes
from reroot.collect.rehearse._hello import Hello
from reroot.collect.rehearse._page import EVERY, READERS, Page, page
from reroot.collect.rehearse.listen import Watch
from reroot.collect.rehearse.stage import Met
from reroot.errors import InputError, ReachError
from reroot.rehearsal import Act, Ending, Reaction

NOW = datetime.now(UTC)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[31m&lt;"


def watch_of(*names, user="somebody"):
    """A watch that clients asking for *names* have come to."""
    watch = Watch([scenes.control(["db1.lab.test"], NOW)])
    for n, name in enumerate(names):
        watch.cast(SimpleNamespace(address=f"10.0.0.{n}", port=1, hello=Hello(name, (), frozenset({0x0303}), f"stack{n}")))
        facts = {"server_name": name, "tls_stack": f"stack{n}", "user": user}
        watch.told(Met(f"10.0.0.{n}", 1, NOW.timestamp(), Reaction(Act.CONTROL, Ending.LOGIN, tls="TLSv1.3", facts=facts)))
    return watch


@pytest.fixture
def served():
    watch = watch_of("db1", "db2")
    with Page("127.0.0.1", 0, "rehearsal at 127.0.0.1:5432", watch.data) as shown:
        yield shown, watch


def ask(shown, path=None, *, method="GET", host=None):
    where = urlsplit(shown.address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    try:
        connection.request(method, where.path if path is None else path, headers={"Host": host or where.netloc})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_it_shows_each_client_and_what_it_did_and_looks_again(served):
    shown, watch = served
    status, headers, text = ask(shown)
    assert status == 200
    assert headers["Refresh"] == str(EVERY)
    assert "10.0.0.0" in text
    assert "asking for db2" in text
    assert "○ verifies-nothing" in text
    assert "2 clients, 0 turned away" in text
    watch.told(Met("10.0.0.9", 1, NOW.timestamp(), Reaction(Act.CONTROL, Ending.ALERT, alert=48, tls="TLSv1.3")))
    assert "10.0.0.9" in ask(shown)[2]


def test_the_same_is_there_as_json(served):
    shown, _ = served
    _, headers, text = ask(shown, urlsplit(shown.address).path + "data.json")
    assert headers["Content-Type"].startswith("application/json")
    assert [c["server_name"] for c in json.loads(text)["clients"]] == ["db1", "db2"]


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        ("/", "GET", None, 403),
        ("/wrong/", "GET", None, 403),
        ("/%00/", "GET", None, 403),
        ("{token}x/", "GET", None, 403),
        ("{token}/../../etc/passwd", "GET", None, 404),
        ("{token}/other", "GET", None, 404),
        (None, "POST", None, 501),
        (None, "DELETE", None, 501),
        (None, "GET", "evil.example", 403),
        (None, "GET", "evil.example:{port}", 403),
        (None, "GET", "localhost:{port}", 200),
        (None, "HEAD", None, 200),
    ],
)
def test_only_who_knows_its_address_reads_it_and_nobody_changes_anything(served, path, method, host, status):
    shown, _ = served
    where = urlsplit(shown.address)
    path = path and path.replace("{token}", where.path.rstrip("/"))
    found, headers, text = ask(shown, path, method=method, host=host and host.replace("{port}", str(where.port)))
    assert found == status
    assert ("10.0.0.0" in text) is (status == 200 and method == "GET")
    if status != 501:
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "python" not in headers["Server"].lower()


def test_every_visitor_needs_a_token_that_nobody_can_guess():
    pages = [Page("127.0.0.1", 0, "", dict) for _ in range(5)]
    assert len({p.token for p in pages}) == 5
    assert all(len(p.token) >= 32 for p in pages)
    for one in pages:
        one._server.server_close()


class Elements(HTMLParser):
    """Which elements a page has, and its text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data):
        self.text += data


def test_a_strangers_words_stay_words():
    harmless, hostile = Elements(), Elements()
    harmless.feed(page("t", watch_of("db1").data()))
    source = page(HOSTILE, watch_of(HOSTILE, user=HOSTILE).data())
    hostile.feed(source)
    assert hostile.tags == harmless.tags
    assert not re.search("[\u202e\x1b]", source)
    assert "<script>alert(1)</script>" in hostile.text


def test_it_is_read_on_this_machine_only():
    for host in ("0.0.0.0", "192.0.2.1", "example.com", "::"):
        with pytest.raises(InputError, match="on this machine only"):
            Page(host, 0, "", dict)


def test_a_port_that_is_taken_is_named(served):
    shown, _ = served
    with pytest.raises(ReachError, match="cannot be served"):
        Page("127.0.0.1", urlsplit(shown.address).port, "", dict)


def test_readers_that_say_nothing_keep_nobody_else_away_for_good(served):
    """As many as are served at once sit there silently; one more is hung up on, and when one leaves there is room again."""
    shown, _ = served
    where = urlsplit(shown.address)
    silent = [socket.create_connection((where.hostname, where.port), 20) for _ in range(READERS)]
    with socket.create_connection((where.hostname, where.port), 20) as beyond:
        assert beyond.recv(1) == b""
    for sock in silent:
        sock.close()
    for _ in range(1000):
        try:
            assert ask(shown)[0] == 200
            return
        except (http.client.HTTPException, OSError):
            continue
    raise AssertionError("nobody is served any more")
