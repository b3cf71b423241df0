"""
Where connection strings stand in a text, and where each of their options stands.

Finding is all that happens here: which options a string holds and at which offsets, so that a report can point and a fix can
splice. What they mean is asked of the driver that will read them. Passwords are seen and not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from ._interpolation import look

_HOLE = r"\$\{[^{}\n]{0,300}\}|\$\{\{[^{}\n]{0,200}\}\}|\{\{[^{}\n]{0,300}\}\}|<%=?[^%\n]{0,300}%>|#\{[^{}\n]{0,200}\}|\$\(\w{1,100}\)"
_SCHEMES = (
    r"postgres(?:ql)?|postgis|pgsql|psql|asyncpg|psycopg[23]?|aiopg|pgx5?|cockroachdb|timescale(?:db)?|ecto|prisma\+postgres"
)
URL = re.compile(
    rf"(?<![\w+.-])(?P<prefix>jdbc:(?:[\w-]{{1,30}}:){{0,3}}|r2dbcs?:(?:\w{{1,20}}:){{0,2}}|jdbc-secretsmanager:|vertx-reactive:)?"
    rf"(?P<scheme>(?:{_SCHEMES})(?:\+\w{{1,30}})?):(?P<slashes>//)?(?P<rest>(?:{_HOLE}|[^\s\"'`<>|\\^])*)",
    re.IGNORECASE,
)
_KEYWORD = re.compile(
    r"""(?<![\w-])(\w[\w ]{0,40}?)\s{0,3}=\s{0,3}('(?:[^'\\\n]|\\.)*'|(?:\$\{[^{}\n]{0,200}\}|\{\{[^{}\n]{0,200}\}\}|[^\s;'"`,])+|)"""
)
_SEPARATED = re.compile(
    r"""(?<![\w-])([A-Za-z][A-Za-z _]{0,40}?)\s{0,3}=\s{0,3}("[^"\n]*"|\{[^{}\n]*\}|(?:\$\{[^{}\n]{0,200}\}|[^;"'`\n])*)"""
)
_HUNG = re.compile(rf"(?:^(?:[\w.\-]{{1,100}}(?::\d{{1,5}})?/\w{{0,60}})?|{_HOLE}|\$\w{{1,100}})[?&](?=[\w%]{{1,40}}=)")
"""Options that follow the address of a connection, where that is a variable, or stands elsewhere."""
HUNG = "hung"
"""The scheme of such options: whichever their address has."""
ADDRESS = "postgres://server/db?"
LIBPQ = frozenset(
    [
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "passfile",
        "service",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "connect_timeout",
    ]
)
ADO = frozenset(
    [
        "host",
        "server",
        "port",
        "database",
        "userid",
        "username",
        "password",
        "sslmode",
        "trustservercertificate",
        "rootcertificate",
        "searchpath",
        "pooling",
    ]
)
TLS_OPTION = re.compile(
    r"^(ssl.*|tls.*|channel_?binding|gssenc_?mode|requiressl|uselibpqcompat|rootcertificate|trustservercertificate|service|pqopt"
    r"|checkcertificaterevocation|usessl|sslfactory.*|sslaccept)$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Option:
    """One option of a connection string: offsets are those of its value, and of its name, in the text it stands in."""

    name: str
    value: str
    start: int
    end: int
    key_start: int

    @property
    def plain(self) -> bool:
        return look(self.value).plain


@dataclass(slots=True)
class Dsn:
    """A connection string. ``form`` is ``url``, ``jdbc``, ``r2dbc``, ``keywords``, ``ado`` or ``pdo``."""

    form: str
    scheme: str
    start: int
    end: int
    host: str = ""
    options: list[Option] = field(default_factory=list)
    closed: bool = True
    """False when what follows may add options: the text ends in a hole, or all of it is one."""

    def option(self, *names: str) -> Option | None:
        wanted = {n.lower() for n in names}
        return next((o for o in reversed(self.options) if squeezed(o.name) in wanted), None)

    @property
    def tls(self) -> dict[str, str]:
        """The options that decide about TLS, none of them secret."""
        return {
            o.name: o.value
            for o in self.options
            if TLS_OPTION.match(o.name.replace(" ", "")) and "password" not in o.name.lower()
        }


def squeezed(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name).lower()


def find(text: str) -> Iterator[Dsn]:
    """Every PostgreSQL connection string in *text*, in order; at most one way of writing is taken for each place."""
    taken = -1
    if ":" in text:
        for match in URL.finditer(text):
            dsn = _url(text, match)
            if dsn is not None and dsn.start >= taken:
                taken = dsn.end
                yield dsn
    if taken < 0 and "=" in text:
        hung = _HUNG.search(text)
        dsn = _fragment(text, hung.start(), hung.end() - 1) if hung else _words(text)
        if dsn is not None:
            yield dsn


def _url(text: str, match: re.Match[str]) -> Dsn | None:
    prefix, scheme, rest = (match["prefix"] or "").lower(), match["scheme"].lower(), match["rest"]
    if not match["slashes"] and not (prefix.startswith("jdbc") and scheme.startswith("postgres")):
        return _pdo(text, match) if scheme == "pgsql" else None
    base, head, query = match.start("rest"), *_cut(rest)
    form = "jdbc" if prefix.startswith("jdbc") else "r2dbc" if prefix.startswith("r2dbc") else "url"
    end = match.end()
    trimmed = rest.rstrip(".,;)]}") if not rest.endswith("}}") and not re.search(r"[$#]\{[^{}]*\}$|\$\(\w+\)$", rest) else rest
    if not look(rest).plain and rest.endswith((")", "}", "%>")):
        trimmed = rest
    end -= len(rest) - len(trimmed)
    dsn = Dsn(form, prefix + scheme, match.start(), end, _host(head))
    if not dsn.host and form == "url" and not head.strip("/") and query is None:
        return None
    if query is not None:
        offset = base + len(head) + 1
        for part in re.split(r"(&amp;|&|;(?=\w+=))", query):
            if part not in ("&amp;", "&", ";"):
                name, equals, value = part.partition("=")
                if offset + len(part) > end:
                    value = value[: max(0, end - offset - len(name) - 1)]
                if name and re.fullmatch(r"[\w.\- %]+", name):
                    at = offset + len(name) + len(equals)
                    plain = value if not look(value).plain else unquote(value)
                    dsn.options.append(
                        Option(unquote(name), plain.split("#")[0] if look(value).plain else plain, at, at + len(value), offset)
                    )
            offset += len(part)
    dsn.closed = not _open_end(trimmed, query)
    return dsn


def _open_end(rest: str, query: str | None) -> bool:
    """Does the string end in a hole that may carry options? A hole for the database's name alone does not."""
    if query is not None:
        last = query.rpartition("&")[2]
        return "=" not in last and not look(last).plain
    hole = re.search(rf"(?:{_HOLE})$", rest)
    if hole is None:
        return False
    before = rest[: hole.start()]
    return not before.endswith(("/", "@", ":"))


def _cut(rest: str) -> tuple[str, str | None]:
    """Split at the first ``?`` that stands outside a hole."""
    depth = 0
    for i, c in enumerate(rest):
        if c in "{(":
            depth += 1
        elif c in "})" and depth:
            depth -= 1
        elif c == "?" and not depth:
            return rest[:i], rest[i + 1 :]
    return rest, None


def _host(head: str) -> str:
    authority = head
    if look(head).plain:
        authority = head.split("/")[0]
    return authority.rpartition("@")[2].split("/")[0].rpartition(":")[0 if ":" in authority.rpartition("@")[2] else 2]


def _pdo(text: str, match: re.Match[str]) -> Dsn | None:
    """``pgsql:host=…;dbname=…``: PDO's own form, its options separated by semicolons."""
    body_start = match.start("rest")
    options = _pairs(_SEPARATED, text, body_start, len(text) if "\n" not in text[body_start:] else text.index("\n", body_start))
    if not any(squeezed(o.name) in ("host", "dbname", "service") for o in options):
        return None
    host = next((o.value for o in options if o.name == "host"), "")
    return Dsn("pdo", "pgsql", match.start(), options[-1].end, host, options, closed=True)


def _fragment(text: str, begin: int, at: int) -> Dsn | None:
    """``?sslmode=require`` at *at*: what is hung on to an address that stands elsewhere, or in a variable from *begin* on."""
    whole = ADDRESS + text[at + 1 :]
    match = URL.match(whole)
    found = _url(whole, match) if match else None
    if found is None or not any(squeezed(o.name) in ("sslmode", "sslrootcert", "sslfactory") for o in found.options):
        return None
    shift = len(ADDRESS) - at - 1
    for option in found.options:
        option.start, option.end, option.key_start = option.start - shift, option.end - shift, option.key_start - shift
    return Dsn("url", HUNG, begin, found.end - shift, "", found.options, found.closed)


def _words(text: str) -> Dsn | None:
    """A keyword string: libpq's with blanks, ADO.NET's and ODBC's with semicolons."""
    if len(text) > 4096:
        return None
    if ";" in text:
        options = _pairs(_SEPARATED, text, 0, len(text))
        keys = {squeezed(o.name) for o in options}
        host = next((o.value for o in options if squeezed(o.name) in ("host", "server")), "")
        if "dbi:pg" in text.lower():
            return Dsn("pdo", "dbi:Pg", 0, len(text), host, options)
        if "driver" in keys:
            driver = next(o.value for o in options if squeezed(o.name) == "driver")
            return Dsn("odbc", "odbc", 0, len(text), host, options) if re.search(r"postgres|psqlodbc", driver, re.I) else None
        if (len(keys & ADO) >= 3 and "host" in keys) or ("sslmode" in keys and len(keys & ADO) >= 2 and "server" in keys):
            if "uid" in keys or "connectiontimeout" in keys or "sslca" in keys:
                return None
            return Dsn("ado", "npgsql", options[0].key_start, options[-1].end, host, options)
        if "dbname" in keys and "host" in keys and not re.match(r"\w+:", text.lstrip()):
            return Dsn("pdo", "", options[0].key_start, options[-1].end, host, options)
        return None
    options = _pairs(_KEYWORD, text, 0, len(text))
    for option in options:
        option.name = option.name.rpartition(" ")[2]
    keys = {o.name for o in options}
    known = keys & LIBPQ
    if (
        ("dbname" in keys and len(known) >= 2)
        or ("host" in keys and ("sslmode" in keys or len(known) >= 3))
        or ("service" in keys and keys <= LIBPQ and len(keys) <= 4 and text.strip().startswith("service="))
        or ("sslmode" in keys and "sslrootcert" in keys)
    ):
        kept = [o for o in options if o.name in LIBPQ or TLS_OPTION.match(o.name)]
        host = next((o.value for o in kept if o.name in ("host", "hostaddr")), "")
        return Dsn("keywords", "libpq", kept[0].key_start, kept[-1].end, host, kept, closed=look(text[kept[-1].end :]).plain)
    return None


def _pairs(pattern: re.Pattern[str], text: str, start: int, end: int) -> list[Option]:
    found = []
    for match in pattern.finditer(text, start, end):
        raw = match[2]
        quote = 1 if len(raw) > 1 and raw[0] in "'\"{" and raw[-1] in "'\"}" else 0
        value = raw[quote : len(raw) - quote].strip() if quote else raw.strip()
        found.append(Option(match[1].strip(), value, match.start(2) + quote, match.end(2) - quote, match.start(1)))
    return found
