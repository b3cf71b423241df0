"""reroot reads a database URL as Laravel's and Doctrine's own code do, errors included, or says that it does not know."""

from __future__ import annotations

import json
import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.drivers import doctrine, laravel
from reroot.errors import SettingsError
from reroot.lab.postgres import clean_environment
from reroot.model import Given
from tests.real.clients import WORKERS

PICKED = [
    "postgresql://u:p@h:5432/db?sslmode=require", "postgres://h/db", "pgsql://h/db?sslmode=verify-full", "mysql://h/db", "pdo-pgsql://h/db",
    "Postgres://h/db", "postgresql:///db", "postgresql://h", "postgresql://h/", "postgresql://h?sslmode=require", "postgresql://h#x",
    "postgresql://h/db?sslmode=null", "postgresql://h/db?sslmode=NULL", "postgresql://h/db?sslmode=True", "postgresql://h/db?sslmode=false",
    "postgresql://h/db?sslmode=%22require%22", "postgresql://h/db?sslmode=1", "postgresql://h/db?sslmode=1e3", "postgresql://h/db?sslmode=-0",
    "postgresql://h/db?sslmode=require&sslmode=disable", "postgresql://h/db?sslmode", "postgresql://h/db?ssl%6Dode=require",
    "postgresql://h/db?ssl%256Dode=require", "postgresql://h/db?sslmode=verify%2Dfull", "postgresql://h/db?sslmode=verify%252Dfull",
    "postgresql://h/db?sslrootcert=%2Fa%26sslmode%3Ddisable", "postgresql://h/db?sslrootcert=/a+b", "postgresql://h/db?sslrootcert=/a%2Bb",
    "postgresql://h/db?sslrootcert=/a%252Bb", "postgresql://h/db?host=other", "postgresql://h/db?host[]=a&host[]=b", "postgresql://h/db?.x=1",
    "postgresql://[::1]:5433/db", "postgresql://[::1]/db", "postgresql://u:p:q@h/db", "postgresql://u@x:p@h/db", "postgresql://h:/db",
    "postgresql://h:x/db", "postgresql://h:12x/db", "postgresql://h:99999/db", "postgresql://h:123456/db", "postgresql://h:00001/db", "postgresql://h:0/db",
    "postgresql://h/a/b", "postgresql://h/12", "postgresql://h/1.50", "postgresql://127.1/db", "postgresql://10/db", "postgresql://h/a'b",
    "postgresql://h/db?sslmode=require;sslrootcert=x", "postgresql://h/db?port=1&dbname=x&database=y", "postgresql://h/db?driver=pgsql", "h", "", "?",
    "postgresql://h/db?sslmode={}", "postgresql://h/db?sslmode=[]", "postgresql://h/db?sslmode=%20null%20", "postgresql://h/db?sslmode=NaN",
]  # fmt: skip
WORDS = """postgresql:// postgres:// pgsql:// : / @ ? & = # % %2F %25 %26 %3D %zz a_b h db.x [::1] [ ] , u p 5432 1 0 1e3 null true sslmode=require
    sslmode= host=x port=1 + . ; ö ' " %22 ( ) { } ~ ! * $ - a.b sslrootcert=%2Fr.pem sslrootcert=/a+b"""
PIECES = WORDS.split()
STARTS = ("postgresql://", "postgresql://u:p@h", "postgresql://h/db?sslmode=")
NAMES = ("sslmode", "sslrootcert", "host", "port", "x", "ssl%6Dode", "database", "dbname", "driver", "")


def generated(count: int = 4000) -> list[str]:
    """Half of them of any pieces at all, half with a query of words that mean something."""
    chance = random.Random(3)

    def some(most: int) -> str:
        return "".join(chance.choice(PIECES) for _ in range(chance.randint(0, most)))

    free = [STARTS[n % len(STARTS)] + some(7) for n in range(count // 2)]
    words = [[f"{chance.choice(NAMES)}={some(2)}" for _ in range(chance.randint(1, 3))] for _ in range(count // 2)]
    return free + [f"postgres://u:p@h{chance.choice(['', ':5433'])}/d?{'&'.join(pairs)}" for pairs in words]


def ours(module, text: str) -> str | None:
    """What PDO is given; ``unknown`` where the module does not say, None for an error."""
    version = {"laravel": "8.83.26", "doctrine": "3.6.1"}[module.DRIVER.name]
    try:
        found, why = module.configured(Given(module.DRIVER.name, version, dsn=text, options={"sslmode": "prefer"}))
    except SettingsError:
        return None
    is_other = module is doctrine and found.get("driver") != "pdo_pgsql"
    return "unknown" if why or is_other else module.dsn_of(found)


@pytest.mark.parametrize("module", [laravel, doctrine], ids=lambda module: module.DRIVER.name)
def test_every_url_is_read_as_the_framework_reads_it(module):
    php = shutil.which("php")
    name = module.DRIVER.name
    asked = list(dict.fromkeys(PICKED + generated()))
    lines = "".join(json.dumps(text) + "\n" for text in asked)
    command = [php or "", str(WORKERS / "php_parsers.php")]
    if php is None:
        pytest.skip(f"not exercised: {name}'s URLs (no PHP: `tools/clients.sh matrix`)")
    done = subprocess.run(command, input=lines, capture_output=True, text=True, env=clean_environment({"LANG": "C.UTF-8"}), timeout=120)
    head, *rows = [json.loads(line) for line in done.stdout.splitlines()]
    if not head[name]:
        pytest.skip(f"not exercised: {name}'s URLs (`tools/clients.sh matrix`)")
    assert len(rows) == len(asked), done.stderr
    told = [(text, ours(module, text), row[name]) for text, row in zip(asked, rows, strict=True)]
    known = [one for one in told if one[1] != "unknown"]
    assert sum(said is not None for _, said, _ in known) > 1000
    differences = [one for one in known if (one[1] or "").encode(errors="surrogateescape").decode(errors="replace") != (one[2] or "")]
    assert not differences[:25], len(differences)


@given(st.text(max_size=80))
def test_no_text_crashes_the_parsers(text):
    for form in (text, f"postgresql://{text}", f"postgresql://u:p@h/db?{text}"):
        ours(laravel, form)
        ours(doctrine, form)


@pytest.mark.parametrize("text", ["[" * 900_000, "postgresql://" + "a@" * 40_000, "postgresql://h/?" + "&" * 90_000, "postgresql://h/?sslmode=" + "[" * 90_000])
def test_a_long_text_is_read_or_refused_without_delay(text):
    ours(laravel, text)
    ours(doctrine, text)
