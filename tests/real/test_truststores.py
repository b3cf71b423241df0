"""Trust stores that reroot changed, in the hands of real clients against a real PostgreSQL that was switched to the next root."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from reroot import truststores
from reroot.collect import trustfiles
from reroot.lab import ca
from reroot.lab.postgres import Postgres, clean_environment
from reroot.model import Secret
from reroot.pki.certificate import Certificate
from reroot.readers import effective

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
CACHED = HERE.parent.parent / ".cache" / "clients"
JARS = [p for p in (Path("/usr/share/java/postgresql.jar"), CACHED / "postgresql-42.7.4.jar") if p.exists()]
OLD, NEXT = ca.root("corp-root-2019"), ca.root("corp-root-2027")
PASSWORD = "changeit"
TYPES = {"jks": "JKS", "pkcs12": "PKCS12", "jceks": "JCEKS"}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    leaf = ca.leaf(NEXT, "localhost", "127.0.0.1")
    with Postgres((leaf.cert_pem, leaf.key_pem)) as running:
        yield running


@pytest.fixture(params=JARS, ids=lambda jar: jar.resolve().name)
def jar(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def store(folder: Path, format: str, *, name: str = "store") -> Path:
    create = truststores.find(format).create
    assert create is not None
    path = folder / f"{name}.{format}"
    path.write_bytes(create([Certificate(OLD.der)], Secret(PASSWORD)))
    return path


def add(path: Path, folder: Path) -> None:
    change = trustfiles.add_root(
        path, [Certificate(NEXT.der)], execute=True, password=PASSWORD, journal=trustfiles.Journal(folder / "state")
    )
    assert [c.title for c in change.added] == ["corp-root-2027"]


def java(jar: Path, urls: list[str], *options: str) -> list[str]:
    ran = subprocess.run(
        ["java", *options, "-cp", str(jar), str(HERE / "Connect.java")],
        input="\n".join(urls) + "\n", capture_output=True, text=True, env=clean_environment(), timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.skipif(not shutil.which("java"), reason="no Java on this machine")
@pytest.mark.skipif(not JARS, reason="no pgJDBC on this machine")
@pytest.mark.parametrize("format", sorted(TYPES))
def test_pgjdbc_verifies_with_the_key_store_that_reroot_changed(
    server: Postgres, jar: Path, format: str, tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    path = store(tmp_path, format)
    url = (
        f"jdbc:postgresql://localhost:{server.port}/postgres?user=postgres&sslmode=verify-full"
        "&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"
    )
    options = [f"-Djavax.net.ssl.trustStore={path}", f"-Djavax.net.ssl.trustStorePassword={PASSWORD}"]
    options += [f"-Djavax.net.ssl.trustStoreType={TYPES[format]}"]
    assert "unable to find valid certification path" in java(jar, [url], *options)[0]
    add(path, tmp_path)
    assert java(jar, [url], *options) == ["ok ssl=true"]
    if format == "pkcs12":
        without = [o for o in options if "Password" not in o]
        assert "trustAnchors parameter must be non-empty" in java(jar, [url], *without)[0]
        assert effective("java", "17", path.read_bytes(), store_type="PKCS12").certificates == ()
    exercised(f"pgjdbc with {TYPES[format]}")


@pytest.mark.skipif(not shutil.which("java"), reason="no Java on this machine")
@pytest.mark.skipif(not JARS, reason="no pgJDBC on this machine")
def test_pgjdbc_verifies_with_the_sslrootcert_that_reroot_changed(server: Postgres, jar: Path, tmp_path: Path) -> None:
    paths = {format: store(tmp_path, format) for format in ("pem", "pkcs7")}
    changed = {format: store(tmp_path, format, name="changed") for format in paths}
    for path in changed.values():
        add(path, tmp_path)
    url = "jdbc:postgresql://localhost:{}/postgres?user=postgres&sslmode=verify-full&sslrootcert={}"
    said = java(jar, [url.format(server.port, path) for path in (*paths.values(), *changed.values())])
    assert [line.split(" ")[0] for line in said] == ["error", "error", "ok", "ok"], said


def test_libpq_verifies_with_the_bundle_that_reroot_changed(
    server: Postgres, tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    path = store(tmp_path, "pem")
    dsn = f"host=localhost hostaddr=127.0.0.1 port={server.port} user=postgres dbname=postgres sslmode=verify-full sslrootcert={path}"
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(dsn)
    add(path, tmp_path)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone() == (True,)
    exercised("psycopg with a changed bundle")


@pytest.mark.skipif(not shutil.which("psql"), reason="no psql on this machine")
def test_a_running_psql_never_meets_a_torn_bundle(server: Postgres, tmp_path: Path) -> None:
    path = store(tmp_path, "pem")
    add(path, tmp_path)
    dsn = f"host=localhost hostaddr=127.0.0.1 port={server.port} user=postgres dbname=postgres sslmode=verify-full sslrootcert={path}"
    clients = [
        subprocess.Popen(
            ["psql", dsn, "-Atc", "select 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()
        )
        for _ in range(12)
    ]
    extra = [Certificate(ca.root(f"other {n}").der) for n in range(30)]
    for root in extra:
        trustfiles.add_root(path, [root], execute=True, journal=trustfiles.Journal(tmp_path / "state"))
    heard = [client.communicate(timeout=60) for client in clients]
    assert {out for out, _ in heard} == {b"1\n"}, heard
