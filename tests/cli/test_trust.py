"""``reroot trust`` as a person or a script uses it."""

from __future__ import annotations

import http.server
import json
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reroot import truststores
from reroot.authorities import families
from reroot.cli.trust import COMMAND
from reroot.errors import RerootError
from reroot.model import Secret
from reroot.pki.certificate import Certificate
from reroot.truststores import pem
from tests.readers import keystores
from tests.readers.shapes import authority, pem_shapes, workshop

Run = Callable[..., Result]
W = workshop()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("REROOT_STATE", str(tmp_path / "state"))
    (tmp_path / "pw").write_text("changeit\n")

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(COMMAND, [str(a) for a in arguments])

    return call


def data(result: Result) -> Any:
    return json.loads(result.stdout)


def error(result: Result) -> RerootError:
    assert isinstance(result.exception, RerootError)
    return result.exception


def test_show_says_what_each_reader_gets(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(pem_shapes()["byte order mark"])
    counts = {}
    for reader in ("openssl-3.0", "openssl-1.1.1", "java-17", "keytool-17", "go-1.19", "node-20", "rust-native-tls-0.2"):
        shown = data(run("show", path, "--reader", reader, "--store-type", "PEM", "--json"))
        counts[reader] = (shown["loads"], len(shown["anchors"]))
    assert counts == {
        "openssl-3.0": (True, 2), "openssl-1.1.1": (True, 1), "java-17": (False, 0), "keytool-17": (False, 0),
        "go-1.19": (True, 1), "node-20": (True, 2), "rust-native-tls-0.2": (True, 1),
    }  # fmt: skip


def test_show_names_javas_silent_zero(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "trust.p12"
    path.write_bytes(keystores.java_p12([("a", W.a)], keystores.p12_builder()))
    result = run("show", path, "--reader", "java-17")
    assert result.exit_code == 1
    assert "no-password" in result.stdout
    assert "trustAnchors parameter must be non-empty" in result.stdout
    assert run("show", path, "--reader", "java-17", "--password-file", tmp_path / "pw").exit_code == 0


def test_a_batch_answers_every_line_and_a_bad_one_stops_nobody(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(W.a.pem + W.b.pem)
    lines = [
        json.dumps({"id": 1, "file": str(path), "reader": "openssl-3.0"}),
        "no json",
        json.dumps({"id": 3, "file": str(tmp_path / "none"), "reader": "java-17"}),
        json.dumps({"id": 4, "file": str(path), "reader": "perl-5"}),
        json.dumps([1]),
        json.dumps({"id": 6, "file": str(path), "reader": "java-17", "store_type": 5}),
        json.dumps({"id": 7, "file": str(path), "reader": "java-17", "store_type": "PEM", "password": None}),
        json.dumps({"id": 8, "file": "/dev/zero", "reader": "go-1.27"}),
    ]
    (tmp_path / "cases").write_text("\n".join(lines) + "\n")
    assert run("show", "--batch", tmp_path / "cases", "-o", f"json={tmp_path / 'out'}").exit_code == 4
    answers = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [a["id"] for a in answers] == [1, None, 3, 4, None, 6, 7, 8]
    assert ["error" in a for a in answers] == [False, True, True, True, True, True, False, True]
    assert answers[0]["anchors"] == sorted(Certificate(root.der).fingerprint for root in (W.a, W.b))


@pytest.mark.parametrize("size", [2**20, pytest.param(16 * 2**20, marks=pytest.mark.matrix)])
def test_a_batch_spends_little_on_a_hostile_file(run: Run, size: int, tmp_path: Path) -> None:
    hostile = {
        "begins": b"-----BEGIN CERTIFICATE-----\n" * 500_000,
        "blocks": W.a.pem * 20_000,
        "short lines": b"-----BEGIN CERTIFICATE-----\n" + b"A\n" * 7_000_000,
        "NULs": b"\n\0" * 8_000_000 + W.a.pem,
        "indefinite": b"\x30\x80" * 8_000_000,
        "line ends": b"\n" * 16_000_000 + b"-----BEGIN CERTIFICATE-----",
    }
    cases = []
    for name, content in hostile.items():
        (tmp_path / name).write_bytes(content[:size])
        for reader, kind in (("openssl-3.0", "PEM"), ("java-17", "PEM"), ("java-17", None), ("go-1.27", None), ("node-20", None)):
            cases.append(
                json.dumps({"id": f"{name} {reader} {kind}", "file": str(tmp_path / name), "reader": reader, "store_type": kind})
            )
    (tmp_path / "cases").write_text("\n".join(cases))
    run("show", "--batch", tmp_path / "cases", "-o", f"json={tmp_path / 'out'}")
    answers = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert len(answers) == len(cases)
    assert all("error" in a or "loads" in a for a in answers)


TWO_BUNDLES = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: roots}\ndata:\n  old.crt: |\n%s  new.crt: |\n%s"


def test_of_two_bundles_in_one_manifest_the_named_one_is_changed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "roots.yaml"
    old, new = textwrap.indent(W.a.pem.decode(), "    "), textwrap.indent(W.rsa.pem.decode(), "    ")
    path.write_text(TWO_BUNDLES % (old, new))
    (tmp_path / "next.pem").write_bytes(W.b.pem)
    unclear = run("add", path, "--root", tmp_path / "next.pem", "--execute")
    assert unclear.exit_code == 2
    assert path.read_text() == TWO_BUNDLES % (old, new)
    assert run("add", path, "--root", tmp_path / "next.pem", "--key", "new.crt", "--execute").exit_code == 0
    after = textwrap.indent(W.b.pem.decode(), "    ")
    assert path.read_text() == TWO_BUNDLES % (old, new + after)
    assert run("add", path, "--root", tmp_path / "next.pem", "--key", "6", "--execute").exit_code == 0
    assert path.read_text() == TWO_BUNDLES % (old + after, new + after)
    assert run("remove", path, "--root", "Root B", "--key", "old.crt", "--retire", "--execute").exit_code == 0
    assert path.read_text() == TWO_BUNDLES % (old, new + after)
    assert run("add", path, "--root", tmp_path / "next.pem", "--key", "other", "--execute").exit_code == 2
    (tmp_path / "a.pem").write_bytes(W.a.pem)
    assert run("add", tmp_path / "a.pem", "--root", tmp_path / "next.pem", "--key", "new.crt").exit_code == 2


def test_check_tells_whether_a_chain_verifies(run: Run, tmp_path: Path) -> None:
    leaf = authority("db.example.test", issuer=W.a, ca=False)
    (tmp_path / "chain.pem").write_bytes(leaf.pem)
    (tmp_path / "a.pem").write_bytes(W.a.pem)
    (tmp_path / "b.pem").write_bytes(W.b.pem)
    at = "2026-01-02T00:00:00Z"
    assert (
        run("check", tmp_path / "a.pem", "--chain", tmp_path / "chain.pem", "--reader", "openssl-3.0", "--at", at).exit_code == 0
    )
    refused = run("check", tmp_path / "b.pem", "--chain", tmp_path / "chain.pem", "--reader", "openssl-3.0", "--at", at, "--json")
    assert refused.exit_code == 1
    assert data(refused)["trusted"] is False
    assert data(refused)["reasons"]


def test_add_is_a_dry_run_until_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(W.a.pem)
    (tmp_path / "next.pem").write_bytes(W.b.pem)
    dry = run("add", path, "--root", tmp_path / "next.pem")
    assert (dry.exit_code, path.read_bytes()) == (0, W.a.pem)
    assert "nothing was written: add `--execute`" in dry.stdout
    done = run("add", path, "--root", tmp_path / "next.pem", "--execute", "--json")
    assert [c["title"] for c in data(done)["files"][0]["added"]] == ["Root B"]
    again = run("add", path, "--root", tmp_path / "next.pem", "--execute", "--json")
    assert data(again)["files"][0]["unchanged"]
    assert run("undo", path, "--execute").exit_code == 0
    assert path.read_bytes() == W.a.pem


def test_remove_without_the_gate_is_exit_3(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(W.a.pem + W.b.pem)
    assert run("remove", path, "--root", "Root A", "--execute").exit_code == 3
    assert path.read_bytes() == W.a.pem + W.b.pem
    assert run("remove", path, "--root", "Root A", "--execute", "--retire").exit_code == 0
    assert path.read_bytes() == W.b.pem


@pytest.mark.parametrize("name", ["Root Z", "00000000", "aws:eu-west-1"])
def test_removing_what_is_not_there_is_an_error(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(W.a.pem)
    result = run("remove", path, "--root", name)
    assert result.exit_code == 2
    assert "none of its roots" in result.stdout


def test_the_bundle_of_a_region_is_three_roots_in_every_format(run: Run, tmp_path: Path) -> None:
    targets = f"pem={tmp_path / 'b.pem'},p12={tmp_path / 'b.p12'},jks={tmp_path / 'b.jks'}"
    arguments = ("bundle", "--for", "aws:eu-west-1", "--from", "rds-ca-2019", "--to", "rds-ca-rsa2048-g1", "-o", targets)
    made = run(*arguments, "-o", "json", "--at", "2026-11-23T00:00:00Z")
    assert made.exit_code == 0, made.output
    assert data(made)["left_out"] == [{"id": "rds-ca-2019", "why": "expired on 2024-08-22"}]
    wanted = {root["fingerprint"] for root in data(made)["roots"]}
    assert len(wanted) == 3
    for name in ("b.pem", "b.p12", "b.jks"):
        held = truststores.read((tmp_path / name).read_bytes(), None if name == "b.pem" else Secret("changeit")).certificates
        assert {c.fingerprint for c in held} == wanted
    again = run(*arguments, "-o", "json", "--at", "2026-11-23T00:00:00Z")
    assert [file["state"] for file in data(again)["files"]] == ["unchanged"] * 3


def test_a_bundle_does_not_overwrite_another_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.pem").write_bytes(W.a.pem)
    result = run("bundle", "--for", "aws:eu-west-1", "-o", f"pem={tmp_path / 'b.pem'}")
    assert "with other roots" in error(result).message
    assert (tmp_path / "b.pem").read_bytes() == W.a.pem


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server on loopback with a good and a strange bundle."""
    folder = tmp_path / "site"
    folder.mkdir()
    shipped = [root.certificate for root in families()["aws"].roots[:5]]
    (folder / "good.pem").write_bytes(pem.create(shipped))
    (folder / "strange.pem").write_bytes(pem.create(shipped) + W.a.pem)
    (folder / "page.html").write_text("<html>not found</html>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_fetch_takes_only_what_is_pinned(run: Run, site: str, tmp_path: Path) -> None:
    assert run("fetch", f"{site}/good.pem", "-o", f"pem={tmp_path / 'got.pem'}").exit_code == 0
    assert len(pem.read((tmp_path / "got.pem").read_bytes()).certificates) == 5
    refused = run("fetch", f"{site}/strange.pem", "-o", f"pem={tmp_path / 'no.pem'}")
    assert "1 certificate with no pinned fingerprint: `Root A`" in error(refused).message
    assert not (tmp_path / "no.pem").exists()
    pin = Certificate(W.a.der).fingerprint
    assert run("fetch", f"{site}/strange.pem", "--pin", pin, "-o", f"pem={tmp_path / 'yes.pem'}").exit_code == 0


@pytest.mark.parametrize("path", ["page.html", "missing.pem"])
def test_fetch_of_something_else_is_a_clear_error(run: Run, site: str, path: str) -> None:
    assert error(run("fetch", f"{site}/{path}")).message


def test_the_frozen_bundle_of_2020_is_refused(run: Run) -> None:
    result = run("fetch", "https://s3.amazonaws.com/rds-downloads/rds-combined-ca-bundle.pem")
    assert "frozen since April 2020" in error(result).message


def test_a_hashed_folder_gets_one_new_file_that_openssl_finds(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    (tmp_path / "next.pem").write_bytes(W.a.pem + W.twin.pem)
    assert run("add", folder, "--root", tmp_path / "next.pem", "--execute").exit_code == 0
    names = sorted(p.name for p in folder.iterdir())
    assert [name[8:] for name in names] == [".0", ".1"]
    again = run("add", folder, "--root", tmp_path / "next.pem", "--execute", "--json")
    assert data(again)["files"][0]["unchanged"]
    (folder / names[0]).rename(folder / names[0].replace(".0", ".5"))
    assert "never-reached" in run("show", folder).stdout
