"""Every reader beside the real stack, over the same bytes: the same answer to "does it load" and the same roots."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reroot.pki.certificate import Certificate
from reroot.readers import Anchors, effective

from . import keystores, oddstores, oracles
from .shapes import armour, pem_shapes, tlv, workshop

Exercised = Callable[[str], None]
PASSWORDS = (keystores.PASSWORD, None, "wrong", "")
TYPES = ("", "JKS", "JCEKS", "PKCS12")

needs_java = pytest.mark.skipif(not shutil.which("keytool"), reason="no Java on this machine")
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no Node.js on this machine")
needs_go = pytest.mark.skipif(not shutil.which("go"), reason="no Go on this machine")
needs_dotnet = pytest.mark.skipif(not oracles.DOTNET.exists(), reason="no .NET: tools/clients.sh")
needs_psql = pytest.mark.skipif(not shutil.which("psql"), reason="no psql on this machine")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("shapes")
    files = {}
    for number, (name, content) in enumerate(pem_shapes().items()):
        files[name] = folder / f"{number:03}"
        files[name].write_bytes(content)
    return files


def fingerprints(found: Anchors) -> frozenset[str]:
    return frozenset(c.fingerprint for c in found.certificates)


def differences(
    mine: Mapping[str, tuple[bool, frozenset[str]]], real: Mapping[str, tuple[bool, frozenset[str]]]
) -> dict[str, str]:
    return {
        name: f"reroot says loads={mine[name][0]} with {len(mine[name][1])}, the stack loads={real[name][0]} with {len(real[name][1])}"
        for name in real
        if mine[name] != real[name]
    }


def read_as(reader: str, version: str, files: Mapping[str, Path], **told: str) -> dict[str, tuple[bool, frozenset[str]]]:
    found = {name: effective(reader, version, path.read_bytes(), **told) for name, path in files.items()}  # type: ignore[arg-type]
    return {name: (anchors.loads, fingerprints(anchors)) for name, anchors in found.items()}


@needs_java
@pytest.mark.parametrize(("reader", "kind"), [("java", "PEM"), ("keytool", "FIRST")])
def test_every_shape_is_read_as_java_reads_it(shapes: Mapping[str, Path], reader: str, kind: str, exercised: Exercised) -> None:
    heard = oracles.java([(path, kind, None) for path in shapes.values()])
    real = {name: (h.loads, h.anchors) for name, h in zip(shapes, heard, strict=True)}
    assert differences(read_as(reader, "17.0.15", shapes, store_type="PEM"), real) == {}
    exercised(f"java: {len(real)} files")


@needs_java
def test_every_key_store_is_read_as_java_reads_it_under_every_type_and_password(tmp_path: Path, exercised: Exercised) -> None:
    stores = keystores.by_hand() | keystores.by_tools(tmp_path) | oddstores.pkcs12_files() | oddstores.java_stores()
    questions, names = [], []
    for number, (name, content) in enumerate(stores.items()):
        path = tmp_path / f"{number:03}.store"
        path.write_bytes(content)
        for kind in TYPES:
            for password in PASSWORDS:
                questions.append((path, kind, password))
                names.append(f"{name}, type {kind or 'none'}, password {password!r}")
    real, mine = {}, {}
    for name, (path, kind, password), heard in zip(names, questions, oracles.java(questions), strict=True):
        real[name] = (heard.loads, heard.anchors)
        found = effective("java", "17.0.15", path.read_bytes(), store_type=kind or None, password=password)
        mine[name] = (found.loads, fingerprints(found))
    assert len(stores) >= 160
    assert differences(mine, real) == {}
    exercised(f"java: {len(real)} questions")


@needs_go
def test_every_shape_is_read_as_go_reads_it(shapes: Mapping[str, Path], tmp_path: Path, exercised: Exercised) -> None:
    for version, program in oracles.go_tools().items():
        heard = oracles.go(list(shapes.values()), tmp_path, program)
        real = {name: (h.loads, h.anchors) for name, h in zip(shapes, heard, strict=True)}
        assert differences(read_as("go", version, shapes), real) == {}
        exercised(f"go {version}: {len(real)} files")


@needs_dotnet
def test_every_shape_is_read_as_dotnet_reads_it(shapes: Mapping[str, Path], exercised: Exercised) -> None:
    heard = oracles.dotnet([(path, "PEM", None) for path in shapes.values()])
    real = {name: (h.loads, h.anchors) for name, h in zip(shapes, heard, strict=True)}
    assert differences(read_as("dotnet", "8.0", shapes), real) == {}
    exercised(f"dotnet: {len(real)} files")


@needs_dotnet
def test_every_pkcs12_file_is_read_as_dotnet_reads_it_under_every_password(tmp_path: Path, exercised: Exercised) -> None:
    stores = keystores.by_hand() | keystores.by_tools(tmp_path) | oddstores.pkcs12_files()
    questions, mine = [], {}
    for number, (name, content) in enumerate(stores.items()):
        path = tmp_path / f"{number:03}.store"
        path.write_bytes(content)
        for password in PASSWORDS:
            questions.append((path, "PKCS12", password))
            found = effective("dotnet", "8.0", content, store_type="PKCS12", password=password)
            mine[f"{name}, password {password!r}"] = (found.loads, fingerprints(found))
    real = {name: (h.loads, h.anchors) for name, h in zip(mine, oracles.dotnet(questions), strict=True)}
    assert len(stores) >= 150
    assert differences(mine, real) == {}
    exercised(f"dotnet: {len(real)} questions")


def test_every_shape_is_read_as_pythons_ssl_reads_it(shapes: Mapping[str, Path], exercised: Exercised) -> None:
    wrong = {}
    for name, path in shapes.items():
        loads, count, authorities = oracles.python(path)
        found = effective("python", "3.11", path.read_bytes())
        kept_back = sum(p.code == "not-for-servers" for p in found.problems)
        if (
            found.loads != loads
            or len(found.certificates) + kept_back != count
            or not authorities <= fingerprints(found) | held_back(path)
        ):
            wrong[name] = (found, loads, count)
    assert wrong == {}
    exercised(f"python ssl: {len(shapes)} files")


def held_back(path: Path) -> frozenset[str]:
    w = workshop()
    return frozenset({Certificate(w.a.der).fingerprint}) if b"TRUSTED" in path.read_bytes() else frozenset()


@pytest.mark.parametrize("kind", ["CADATA", "DER"])
def test_every_shape_is_read_as_python_reads_it_from_memory(shapes: Mapping[str, Path], kind: str) -> None:
    wrong = {}
    for name, path in shapes.items():
        content = path.read_bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=content.decode("latin-1") if kind == "CADATA" else content)
            real = (True, context.cert_store_stats()["x509"])
        except (ssl.SSLError, TypeError, ValueError):
            real = (False, 0)
        found = effective("python", "3.11", content, store_type=kind)
        if (found.loads, len(found.certificates)) != real:
            wrong[name] = (found, real)
    assert wrong == {}


@needs_psql
def test_every_shape_is_loaded_or_refused_as_libpq_does(shapes: Mapping[str, Path], exercised: Exercised) -> None:
    wrong = {}
    with oracles.says_yes_to_tls() as port:
        for name, path in shapes.items():
            loads, said = oracles.psql_loads(path, port)
            if effective("openssl", "3.0", path.read_bytes()).loads != loads:
                wrong[name] = said
    assert wrong == {}
    exercised(f"psql: {len(shapes)} files")


@pytest.mark.parametrize("module", ["psycopg", "psycopg2"])
def test_every_shape_is_loaded_or_refused_as_the_wheels_openssl_does(
    shapes: Mapping[str, Path], module: str, exercised: Exercised
) -> None:
    driver = pytest.importorskip(module)
    wrong = {}
    with oracles.says_yes_to_tls() as port:
        for name, path in shapes.items():
            with pytest.raises(driver.OperationalError) as error:
                driver.connect(
                    f"hostaddr=127.0.0.1 host=db port={port} user=u dbname=d sslmode=verify-ca sslrootcert={path} connect_timeout=5"
                )
            loads = "could not read root certificate file" not in str(error.value)
            if effective("openssl", "3.5", path.read_bytes()).loads != loads:
                wrong[name] = str(error.value)
    assert wrong == {}
    exercised(f"{module}: {len(shapes)} files")


@needs_node
def test_every_shape_verifies_the_servers_that_node_says_it_does(shapes: Mapping[str, Path], exercised: Exercised) -> None:
    wrong = {}
    for (name, path), real in zip(shapes.items(), oracles.node(list(shapes.values())), strict=True):
        if verified(effective("node", "20", path.read_bytes())) != real:
            wrong[name] = real
    assert wrong == {}
    exercised(f"node: {len(shapes)} files")


EXTRA = (
    "two roots", "byte order mark", "damaged between", "damaged first", "trusted for servers", "key between", "no final line end",
    "empty file", "DER", "CRLF", "labels differ, last", "X509 label", "NUL between", "text after end",
)  # fmt: skip


@needs_node
@pytest.mark.parametrize("name", EXTRA)
def test_extra_roots_of_node_are_those_before_the_first_damage(shapes: Mapping[str, Path], name: str) -> None:
    path = shapes[name]
    assert verified(effective("node-extra", "20", path.read_bytes())) == oracles.node([None], extra=path)[0]


def verified(found: Anchors) -> dict[str, bool]:
    """Which of the oracle's servers these anchors verify: a root of the same name and key is among them."""
    held = {(c.subject, c.spki) for c in found.certificates if c.is_readable and c.is_self_issued}
    roots = {name: Certificate(root.der) for name, (root, _) in oracles.served().items()}
    return {name: (root.subject, root.spki) in held for name, root in roots.items()}


@pytest.mark.parametrize(
    ("settings", "trusted"),
    [
        pytest.param(b"", True, id="no settings"),
        pytest.param(tlv(0x30, tlv(0x30, bytes.fromhex("06082b06010505070301"))), True, id="trusted for servers"),
        pytest.param(tlv(0x30, tlv(0x30, bytes.fromhex("06082b06010505070302"))), False, id="trusted for clients"),
        pytest.param(tlv(0x30, tlv(0xA0, bytes.fromhex("06082b06010505070301"))), False, id="rejected for servers"),
        pytest.param(tlv(0x30, tlv(0xA0, bytes.fromhex("06082b06010505070302"))), True, id="rejected for clients"),
        pytest.param(tlv(0x30, tlv(0x30, bytes.fromhex("0604551d2500"))), True, id="trusted for everything"),
        pytest.param(tlv(0x30, tlv(0x0C, b"a name")), True, id="only a name"),
    ],
)
def test_trust_settings_count_in_a_real_handshake(settings: bytes, trusted: bool, tmp_path: Path) -> None:
    root, leaf = oracles.served()["a"]
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(armour("TRUSTED CERTIFICATE", root.der + settings))
    found = effective("openssl", "3.0", bundle.read_bytes())
    assert (Certificate(root.der) in found.certificates) == trusted
    assert oracles.handshake(bundle, leaf, tmp_path) == trusted
