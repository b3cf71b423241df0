"""Each reader: names, values and the exact characters they stand at."""

from __future__ import annotations

import pytest

from reroot.collect.scan import reader_for, readers
from reroot.collect.scan._reader import Page
from reroot.collect.scan._text import Text

SHAPES: list[tuple[str, str, dict[str, str]]] = [
    (".env", "# no\nexport PGSSLMODE='require' # yes\nA=b#c\n", {"PGSSLMODE": "require", "A": "b#c"}),
    ("a.properties", "a.b=c\\\n  d\nx: y\n! no=1\n", {"a.b": "cd", "x": "y"}),
    ("pg_service.conf", "[s]\nhost=h\n#sslmode=x\nsslmode=verify-ca\n", {"host": "h", "sslmode": "verify-ca"}),
    ("a.yaml", "a: {b: 'c'}\nenv:\n- {name: X, value: y}\n- Z=1\n", {"b": "c", "X": "y", "Z": "1"}),
    ("a.yaml", "env:\n{{- if .x }}\n  A: {{ .Values.a | quote }}\n{{- end }}\n", {"A": "{{ .Values.a | quote }}"}),
    ("database.yml", "p:\n  a: <%= ENV['X'] %>\n", {"a": "<%= ENV['X'] %>"}),
    ("bad.yaml", "a: b: c\n\tx: y\nsslmode: require\n", {"sslmode": "require"}),
    ("a.json", '// c\n{"a": {"b": "c\\u0041"}, "l": [{"name": "N", "value": "v"},],}', {"b": "cA", "N": "v"}),
    ("a.toml", '[t]\na = "b" # c\nd = { e = "f" }\n', {"a": "b", "e": "f"}),
    ("a.tf", 'variable "v" {\n  default = "d" # c\n}\nresource "r" "n" { a = var.v }\n', {"v": "d", "a": "var.v"}),
    ("application.conf", 'db { url = "u"\n url = ${?U} }\n', {"url": "u"}),
    ("a.xml", '<a><property name="n" value="v"/><b c="d">t</b></a>', {"n": "v", "c": "d", "b": "t"}),
    (
        "a.sql",
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', sslmode 'require');",
        {"host": "h", "sslmode": "require"},
    ),
    ("s.prisma", 'datasource db {\n provider = "postgresql"\n}\n', {"provider": "postgresql"}),
    ("a.sh", "export A=b\nC=\"d e\" run\necho 'X=1'\n", {"A": "b", "C": "d e"}),
    ("Dockerfile", "ENV A b\nENV C=d \\\n    E=f\n", {"A": "b", "C": "d", "E": "f"}),
    ("a.py", 'x.connect(sslmode="require")\nC = "verify-ca"\n', {"sslmode": "require"}),
    ("a.js", "new Pool({ ssl: { ca: 'x', rejectUnauthorized: false } })", {"ca": "x", "rejectUnauthorized": "false"}),
    ("a.ts", "const o: Options = { sslmode: `require` };", {"sslmode": "require"}),
    ("A.java", 'class A { void x() { p.setProperty("sslmode", "require"); } }', {"sslmode": "require"}),
    ("a.kt", 'fun f() { p.setProperty("sslmode", "require") }', {"sslmode": "require"}),
    ("a.go", 'package a\nvar c = Config{SSLMode: "require"}\n', {"SSLMode": "require"}),
    ("a.rb", 'PG.connect(sslmode: "require")\n', {"sslmode": "require"}),
    ("a.php", "<?php $a = ['sslmode' => 'require'];", {"sslmode": "require"}),
    ("A.cs", "class A { object x = new B { SslMode = SslMode.VerifyFull }; }", {"SslMode": "verify-full"}),
    ("a.rs", "fn f() { PgConnectOptions::new().ssl_mode(PgSslMode::Require); }", {"ssl_mode": "require"}),
    ("a.exs", 'config :a, sslmode: "require"\n', {"sslmode": "require"}),
]


def read(path: str, body: str) -> Page:
    reader = reader_for(path)
    assert reader is not None
    return reader.read(Text.decode(path, body.encode()))


@pytest.mark.parametrize(("path", "body", "wanted"), SHAPES, ids=[f"{path}-{i}" for i, (path, _, _) in enumerate(SHAPES)])
def test_a_reader_says_what_is_written(path: str, body: str, wanted: dict[str, str]) -> None:
    entries = {}
    for entry in read(path, body).entries:
        entries.setdefault(entry.name, entry.value)
    assert wanted.items() <= entries.items()


@pytest.mark.parametrize(("path", "body", "wanted"), SHAPES, ids=[f"{path}-{i}" for i, (path, _, _) in enumerate(SHAPES)])
def test_an_exact_value_stands_where_it_is_said_to_stand(path: str, body: str, wanted: dict[str, str]) -> None:
    for entry in read(path, body).entries:
        if entry.exact and entry.plain and "\\" not in body[entry.start : entry.end]:
            assert body[entry.start : entry.end] == entry.value


@pytest.mark.parametrize(
    ("path", "body", "refers", "default"),
    [
        (".env", "A=${B:-c}\n", ("B",), "c"),
        ("a.properties", "a=${B:c}\n", ("B",), "c"),
        ("a.yaml", "a: $(B)\n", ("B",), None),
        ("a.yaml", "a: ${{ secrets.B }}\n", ("B",), None),
        ("a.yaml", "a: {{ .Values.x.y }}\n", ("x.y",), None),
        ("a.py", "connect(sslmode=os.environ.get('B', 'c'))\n", ("B",), "c"),
        ("a.js", "x({ sslmode: process.env.B || 'c' })\n", ("B",), "c"),
        ("a.rb", "connect(sslmode: ENV.fetch('B', 'c'))\n", ("B",), "c"),
        ("a.php", "<?php $a = ['sslmode' => env('B', 'c')];", ("B",), "c"),
        ("a.go", 'package a\nvar c = C{SSLMode: os.Getenv("B")}\n', ("B",), None),
    ],
)
def test_a_value_from_elsewhere_names_its_variable_and_its_default(
    path: str, body: str, refers: tuple[str, ...], default: str | None
) -> None:
    entry = next(e for e in read(path, body).entries if not e.plain)
    assert (entry.refers, entry.default) == (refers, default)


def test_without_a_grammar_nothing_is_decidable(monkeypatch: pytest.MonkeyPatch) -> None:
    from reroot.collect.scan import _source

    monkeypatch.setattr(_source, "_parser", lambda *_: None)
    page = read("a.py", 'psycopg2.connect("host=h dbname=d sslmode=verify-full")\n')
    assert not page.sure
    assert any("sslmode=verify-full" in e.value for e in page.entries)


def test_every_reader_has_a_title_and_claims_nothing_strange() -> None:
    for reader in readers():
        assert reader.title
        assert reader.claims("picture.png") == 0
