"""What belongs together is told together, across files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reroot.collect.scan._finding import Finding
from reroot.collect.scan._scan import scan
from reroot.collect.scan._walk import folders_around

from ._corpus import certificate


def found(root: Path, files: dict[str, str]) -> dict[tuple[str, int], Finding]:
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(body)
    return {(f.path, f.line): f for f in scan([str(root)], processes=1).findings}


def test_code_that_reads_a_variable_names_the_places_that_set_it(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        {
            "app/db.py": "import psycopg2, os\npsycopg2.connect(host='h', sslmode=os.environ['DB_SSLMODE'])\n",
            "app/docker-compose.yml": "services:\n  app:\n    environment:\n      DB_SSLMODE: verify-ca\n",
        },
    )
    code = findings["app/db.py", 2]
    assert not code.decidable
    assert ("app/docker-compose.yml", 4, "verify-ca") in code.joined
    assert findings["app/docker-compose.yml", 4].driver == "psycopg2"


def test_a_root_is_followed_through_the_dockerfile_to_the_file_in_the_tree(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        {
            "svc/certs/bundle.pem": certificate("corp") + "\n",
            "svc/Dockerfile": "FROM x\nCOPY certs/bundle.pem /etc/pki/db.pem\nENV PGSSLMODE=verify-full PGSSLROOTCERT=/etc/pki/db.pem\n",
        },
    )
    assert any(path == "svc/certs/bundle.pem" for path, _, _ in findings["svc/Dockerfile", 3].joined)
    assert findings["svc/certs/bundle.pem", 1].kind == "trust-store-file"


def test_a_certificate_that_nobody_refers_to_and_nothing_names_is_silent(tmp_path: Path) -> None:
    assert found(tmp_path, {"certs/partner.pem": certificate("corp") + "\n", "a.env": "PGSSLMODE=require\n"}).keys() == {
        ("a.env", 1)
    }


def test_the_manifest_decides_whose_default_holds(tmp_path: Path) -> None:
    url = "DATABASE_URL=postgres://h/d?sslmode=require\n"
    findings = found(
        tmp_path,
        {
            "js/package.json": '{"dependencies": {"pg": "8.11.3"}}',
            "js/.env": url,
            "py/requirements.txt": "psycopg2==2.9.9\n",
            "py/.env": url,
        },
    )
    policies = {path: (f.driver, f.policy and f.policy["check"]) for (path, _), f in findings.items()}
    assert policies == {"js/.env": ("node-postgres", "chain-and-host"), "py/.env": ("psycopg2", "nothing")}


def test_a_store_without_the_next_root_makes_its_readers_break(tmp_path: Path) -> None:
    from reroot import truststores

    (tmp_path / "next.pem").write_text(certificate("rds2"))
    root = tmp_path / "tree"
    files = {
        "rds.pem": certificate("rds") + "\n",
        "full.conf": "",
        "pg_service.conf": "[a]\nhost=h\nsslmode=verify-full\nsslrootcert=rds.pem\n",
        "b/pg_service.conf": "[a]\nhost=h\nsslmode=prefer\nsslrootcert=../rds.pem\n",
    }
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(body)
    wanted = truststores.read((tmp_path / "next.pem").read_bytes()).certificates
    verdicts = {
        (f.path, f.line): f.verdict for f in scan([str(root)], processes=1, next_roots=wanted).findings if f.kind == "setting"
    }
    assert verdicts == {("pg_service.conf", 3): "breaks", ("b/pg_service.conf", 3): "loses-tls"}


def test_a_connection_string_of_the_environment_overrules_the_code_that_reads_it(tmp_path: Path) -> None:
    (tmp_path / "db.js").write_text(
        "const { Pool } = require('pg')\n"
        "new Pool({ connectionString: process.env.DATABASE_URL, ssl: { rejectUnauthorized: false } })\n"
    )
    (tmp_path / "prod.env").write_text("DATABASE_URL=postgres://u@h/d?sslmode=require\n")
    by_path = {f.path: f for f in scan([str(tmp_path)], processes=1).findings}
    assert (by_path["prod.env"].driver, by_path["prod.env"].rule) == ("node-postgres", "RR102")
    assert (by_path["db.js"].rule, by_path["db.js"].joined) == ("RR130", [("prod.env", 1, "sslmode=require")])


def test_projects_side_by_side_do_not_lend_each_other_their_drivers(tmp_path: Path) -> None:
    for name, manifest, code in (
        ("ruby", ("Gemfile", "gem 'pg'\n"), ("db.rb", "PG.connect(ENV['DATABASE_URL'])\n")),
        ("rust", ("Cargo.toml", '[dependencies]\nsqlx = "0.8.3"\n'), (".env", "DATABASE_URL=postgres://h/d?sslmode=verify-full\n")),
    ):
        (tmp_path / name).mkdir()
        for file, body in (manifest, code):
            (tmp_path / name / file).write_text(body)
    assert {f.path: f.driver for f in scan([str(tmp_path)], processes=1).findings}["rust/.env"] == "sqlx"


def test_targets_named_from_the_root_are_told_apart_counted_together_and_come_to_an_end(tmp_path: Path) -> None:
    for name, manifest, code in (
        ("ruby", ("Gemfile", "gem 'pg'\n"), ("db.rb", "PG.connect(ENV['DATABASE_URL'])\n")),
        ("rust", ("Cargo.toml", '[dependencies]\nsqlx = "0.8.3"\n'), (".env", "DATABASE_URL=postgres://h/d?sslmode=verify-full\n")),
    ):
        (tmp_path / name).mkdir()
        for file, body in (manifest, code):
            (tmp_path / name / file).write_text(body)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/.env").write_text("DATABASE_URL=postgres://h/d?sslmode=require\n")
    targets = [str(tmp_path / name) for name in ("ruby", "rust", "bare")]
    for use_cache in (False, True):
        result = scan(targets, processes=1, use_cache=use_cache)
        assert {f.path: f.driver for f in result.findings}[f"{tmp_path}/rust/.env"] == "sqlx"
        assert result.files == 5


@pytest.mark.parametrize(
    ("path", "folders"),
    [("a/b/c", ["a/b", "a", ""]), ("c", [""]), ("/a/c", ["/a", "/"]), ("/", []), ("../a/c", ["../a", "..", ""])],
)
def test_the_folders_around_a_path_end(path: str, folders: list[str]) -> None:
    assert list(folders_around(path)) == folders


def test_a_variable_of_a_list_is_told_once_though_a_part_of_it_is_decided_elsewhere(tmp_path: Path) -> None:
    value = "postgres://app:$(PASSWORD)@db/app?sslmode=no-verify"
    told = found(tmp_path, {"values.yaml": f'extraEnv:\n  - name: DATABASE_URL\n    value: "{value}"\n'})
    assert list(told) == [("values.yaml", 2)]
