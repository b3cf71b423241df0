"""What an expression in source code is worth, as far as its text tells: literals, joined strings, environment reads, constants."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ._grammar import COMMENTS
from ._interpolation import look
from ._reader import Page

STRINGS = frozenset(
    [
        "string",
        "string_literal",
        "interpreted_string_literal",
        "raw_string_literal",
        "template_string",
        "encapsed_string",
        "verbatim_string_literal",
        "interpolated_string_expression",
        "line_string_literal",
        "multi_line_string_literal",
        "raw_string_literal_expression",
        "heredoc",
        "heredoc_body",
        "string_value",
        "multiline_string_literal",
        "concatenated_string",
        "text_block",
    ]
)
ENV = re.compile(
    r"""(?:process\.env(?:\.|\[["'`])|Deno\.env\.get\(["'`]|import\.meta\.env\.|os\.environ(?:\.get)?[\[(]["']|os\.getenv\(["']|getenv\(["']|ENV(?:\.fetch\(|\[)["']
    |System\.getenv\((?:\)\.get(?:OrDefault)?\()?["']|os\.(?:Getenv|LookupEnv)\("|(?:std::)?env::var\("|env!\("|Environment\.GetEnvironmentVariable\("|env\(["']|config\(["']|\$_(?:ENV|SERVER)\[["']
    |System\.(?:get_env|fetch_env!)\("|Configuration\[["']|viper\.Get\w*\("|env\.(?:str|bool|db|get|string)\(["']|getProperty\(["']|GetValue<\w+>\(["']
    |configService\.get(?:OrThrow)?(?:<\w+>)?\(["']|config\.get(?:<\w+>)?\(["']|@Value\(["']\$\{|GetConnectionString\(["']|decouple\.config\(["'])([\w.:\-]+)""",
    re.VERBOSE,
)
_LAST_STRING = re.compile(r"""(?:\|\||\?\?|,|\bor\b|\?:|:|unwrap_or\w*\(|default\s*=)\s*[urf]?["'`]([^"'`\n]{0,200})["'`]""")
_CONSTANT = re.compile(
    r"""^[ \t]*(?:(?:export|const|let|var|final|static|private|public|protected|internal|val|readonly|pub|String|string|&str|&'static)\s+)*([A-Za-z_]\w{1,60})(?:\s*:\s*[&'\w ]{1,20})?\s*:?=\s*["'`]([^"'`\n$]{1,300})["'`]\s*[;,]?\s*$""",
    re.MULTILINE,
)
_PEM = re.compile(
    r"""([A-Za-z_]\w{1,60})(?:\s*:\s*[&'\w ]{1,20})?\s*:?=\s*[rbu]?(?:\"\"\"|\'\'\'|["'`])\s*\\?\s*-----BEGIN (?:TRUSTED )?CERTIFICATE"""
)
_HOLE = re.compile(r"%(?:\(\w+\))?[-+0-9.]*[sdvqf]|\{[^{}\n]{0,80}\}")
_MODULE = re.compile(r"""^require\(\s*["'](?:node:)?(?:fs|path)(?:/promises)?["']\s*\)\.""")
"""A module of Node's that is loaded where it is used."""
HOLES = re.compile(r"%[-+0-9.]*[sdvqf]")
"""Holes that are filled in by their order."""
_FILE_CALL = re.compile(
    r"(readFileSync|readFile|read_text|open|File\.read|ReadFile|file_get_contents|Path|join|resolve|resource|getResource|load|include_str|include_bytes|ReadAllText|X509Certificate2|from_pem|read_to_string|dirname|path|base_path|storage_path|expand_path|Rails\.root\.join|toString|URL|fs::read|asset|os\.path|filepath|format|sprintf|Sprintf|str|String|string|bool|Boolean|JSON\.parse|trim|strip|parse|cafile)",
    re.IGNORECASE,
)
_SIMPLE = re.compile(
    r"(get\w*|fetch|env\w*|read\w*|open|join|resolve|path\w*|Path|format\w*|sprintf|Sprintf|str|string|String|bool|Boolean|int|trim|strip|parse|toString"
    r"|unwrap\w*|expect|ok_or\w*|load\w*|include_\w+|to_string|to_owned|into|file_get_contents|ReadAll\w*|ReadFile|dirname|expand_path|from_pem|as_str"
    r"|lower|upper|toLowerCase|replace|encode|decode|from|require_env|mustGetEnv|lookup\w*|concat|base_path|storage_path|URL|File|Paths|combine|asset|config|Getenv|GetEnvironmentVariable|var)$",
    re.IGNORECASE,
)
_FORMAT = re.compile(
    r"""(?:[\w.:]{1,40}[.:])?(?:\w{0,20}[sS]printf|[fF]ormat(?:ted)?|fmt)!?\s*\(|[rbu]?(?:"[^"\n]*"|'[^'\n]*')\.format\("""
)
"""A call that fills in a text, by its name or as a method of the text itself."""
_READS = re.compile(
    r"(?:\w{1,40}\.)?(?:get_?)?(?:env|envvar|getenv|lookup|setting|config|conf|param|flag)\w{0,20}\s?\(", re.IGNORECASE
)
"""A function of the team's own that reads the environment: ``env(NAME, DEFAULT)``."""
_ENUM = re.compile(r"^[A-Za-z_][\w.:]*(?:\.|::)([A-Za-z_]+)$")
_HERE = re.compile(r"__dirname|__DIR__|import\.meta\.dirname|process\.cwd\(\)|os\.getcwd\(\)|dirname\(__FILE__\)|os\.path\.dirname\(__file__\)")
"""The folder of the file itself, or that of the program: what follows is no path from the root."""
_NAMES = ("identifier", "variable_name", "simple_identifier")
_OPERATIONS = ("binary_expression", "binary_operator", "concatenated_string", "additive_expression", "binary")
_ARGUMENT = re.compile(r"\(\s*\$?([A-Za-z_][\w.]*)\s*[,)]")
_MODES = ("utf8", "utf-8", "r", "rb", "ascii")
"""What stands beside a path in a call that reads a file."""
_WORDS = {"true", "false", "none", "null", "nil", "undefined", "True", "False", "None"}


@dataclass(slots=True)
class Value:
    """``text`` is what is written, holes kept as ``${…}`` of the same length where it is one literal."""

    text: str
    start: int
    end: int
    plain: bool = True
    refers: tuple[str, ...] = ()
    default: str | None = None
    exact: bool = True
    strings: int = 0
    written: str = ""
    telling: bool = True
    """Does the text say anything, or is it only a name or a call?"""


def text_of(source: str, value: Value) -> str:
    return source[value.start : value.end]


class Values:
    """Evaluates the expressions of one file."""

    def __init__(self, text: str, data: bytes, offset: Callable[[int], int], language: str) -> None:
        self.text, self.data, self.offset, self.language = text, data, offset, language
        self.constants: dict[str, str | None] = {}
        self.assigned: Callable[[str], Any] = lambda _: None
        """The expression that a name is set to, where the file sets it once."""

    def constant(self, name: str) -> str | None:
        """The literal that a name is set to in this file; None when it is set to none, or to several."""
        if name not in self.constants:
            self.constants[name] = self._constant(name) if name.isidentifier() and len(name) > 1 else None
        return self.constants[name]

    def _constant(self, name: str) -> str | None:
        found: set[str] = set()
        at = self.text.find(name)
        for _ in range(60):
            if at < 0:
                break
            start = self.text.rfind("\n", 0, at) + 1
            end = self.text.find("\n", at)
            line = self.text[start : end if end >= 0 else len(self.text)][:2000]
            match = _CONSTANT.match(line)
            if match and match[1] == name:
                found.add(match[2])
            elif "BEGIN" in self.text[at : at + 200] and (pem := _PEM.match(self.text, at)) and pem[1] == name:
                found.add("-----BEGIN CERTIFICATE----- in this file")
            at = self.text.find(name, at + len(name))
        return found.pop() if len(found) == 1 else None

    def is_string(self, node: Any) -> bool:
        return node.type in STRINGS

    def is_simple(self, call: Any) -> bool:
        """Is a call only a way to write a value: an environment read, a path, a format?"""
        if call.end_byte - call.start_byte > 1600:
            return False
        raw = _MODULE.sub("", self.raw(call))
        if len(raw) > 400:
            return False
        if ENV.match(raw):
            return True
        if re.search(r"\b(?:ssl|tls)\w{0,20}\s{0,3}=[^=]", raw, re.IGNORECASE) and not _FORMAT.match(raw):
            return False  # options of its own
        methods = re.findall(r"([A-Za-z_]\w*)!?\s*\(", raw)
        return bool(methods) and all(_SIMPLE.match(m) for m in methods) and "{" not in re.sub(r"[\"'`][^\"'`]*[\"'`]", "", raw)

    def raw(self, node: Any) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def of(self, node: Any, depth: int = 0) -> Value:
        start, end = self.offset(node.start_byte), self.offset(node.end_byte)
        kind = node.type
        if end - start > 20_000 and kind not in STRINGS:
            return Value("", start, end, False, ("expression",), telling=False)
        raw = self.raw(node)
        if kind in STRINGS and kind != "concatenated_string":
            return self._string(raw, start)
        if raw in _WORDS or re.fullmatch(r"-?\d+|:\w+", raw):
            return Value(raw.lower() if raw in _WORDS else raw, start, end)
        if kind in _OPERATIONS and depth < 40:
            return self._joined(node, raw, start, end, depth)
        if _FORMAT.match(raw) and (template := self._template(node, depth)) is not None:
            return template
        env = ENV.findall(raw)
        if env and len(raw) < 1000:
            last = _LAST_STRING.search(raw[raw.rfind(env[-1]) + len(env[-1]) :])
            return Value(
                raw if len(raw) < 160 else env[0],
                start,
                end,
                False,
                tuple(dict.fromkeys(env)),
                last[1] if last else None,
                telling=True,
            )
        constant = self.constant(raw)
        if constant is not None:
            return Value(constant, start, end, exact=False)
        if kind in _NAMES and (stands_for := self._named(node, depth)) is not None:
            return replace(stands_for, start=start, end=end, exact=False)
        if kind in ("array", "list"):
            return self._several(node, start, end, depth)
        enum = _ENUM.match(raw)
        if enum and (enum[1].lower().replace("_", "") in ENUMS):
            return Value(ENUMS[enum[1].lower().replace("_", "")], start, end, exact=False, written=enum[1])
        strings = [s for s in self._strings(node, depth) if s.text not in _MODES]
        if (module := _MODULE.match(raw)) is not None:
            raw = raw[module.end() :]
            strings = [s for s in strings if s.start >= start + module.end()]
        if strings and not raw.startswith("[") and _FILE_CALL.search(raw.split("(")[0] if "(" in raw else raw) and len(raw) < 400:
            joined = "/".join(s.text.strip("/") if i else s.text.rstrip("/") for i, s in enumerate(strings))
            plain = all(s.plain for s in strings)
            refers = tuple(r for s in strings for r in s.refers)
            default = strings[0].default if len(strings) == 1 else None
            return Value(joined, start, end, plain, refers, default, exact=False, strings=len(strings))
        if _READS.match(raw) and len(raw) < 300:
            names = [self.constant(w) or w for w in re.findall(r"[A-Za-z_]\w+", raw.partition("(")[2])]
            if names:
                return Value(raw, start, end, False, (names[0],), names[1] if len(names) > 1 else None)
        named = [found for w in re.findall(r"\b[A-Za-z_]\w+\b", raw[:300]) if (found := self.constant(w)) is not None]
        if named and len(raw) < 200 and not strings:
            return Value(named[-1], start, end, exact=False, strings=1)
        if strings and len(raw) < 2000:
            return Value(
                strings[-1].text,
                start,
                end,
                False,
                tuple(dict.fromkeys((*(r for s in strings for r in s.refers), raw.split("(")[0][:40]))),
                exact=False,
                strings=len(strings),
                telling=False,
            )
        argument = _ARGUMENT.search(raw) if _FILE_CALL.match(raw.split("(")[0].rpartition(".")[2]) else None
        decides = argument[1] if argument else _short(raw.split("(")[0])
        return Value(re.sub(r"\s+", " ", raw)[:120], start, end, False, (decides,), telling=False)

    def _named(self, node: Any, depth: int) -> Value | None:
        """What a name stands for, where that is written in the same file."""
        if depth > 6:
            return None
        expression = self.assigned(self.raw(node))
        value = self.of(expression, depth + 1) if expression is not None else None
        return value if value is not None and value.telling and (value.strings or value.refers) else None

    def _string(self, raw: str, start: int) -> Value:
        match = re.match(r"""([a-zA-Z@$#]{0,3})(\"\"\"|'''|"|'|`)""", raw)
        if match is None:
            here = raw.strip()
            return Value(
                here,
                start + raw.index(here) if here else start,
                start + len(raw.rstrip()),
                look(here).plain,
                look(here).refers,
                strings=1,
            )
        lead, quote = match.end(), match[2]
        body = raw[lead : len(raw) - len(quote)] if raw.endswith(quote) and len(raw) >= lead + len(quote) else raw[lead:]
        prefix = match[1].lower()
        if self._has_holes(prefix, body):
            body = _HOLE.sub(lambda m: _same_length(m[0]), body)
        if folder := re.match(r"\$\{(?:" + _HERE.pattern + r")\}/", body):
            lead, body = lead + folder.end(), body[folder.end() :]
        seen = look(body)
        return Value(body, start + lead, start + lead + len(body), seen.plain, seen.refers, seen.default, strings=1)

    def _has_holes(self, prefix: str, body: str) -> bool:
        if "%" not in body and "{" not in body:
            return False
        if self.language in ("javascript", "typescript", "kotlin", "ruby") and "%s" not in body:
            return False
        if "{{" in body:
            return False
        return (
            "f" in prefix
            or "$" in prefix
            or "%s" in body
            or "%d" in body
            or "%v" in body
            or "%(" in body
            or (self.language in ("python", "rust", "csharp", "php") and re.search(r"\{\$?[\w.>\-\[\]':]*\}", body) is not None)
        )

    def _joined(self, node: Any, raw: str, start: int, end: int, depth: int) -> Value:
        parts: list[Value] = []
        stack = [node]
        operator = node.child_by_field_name("operator")
        sign = self.raw(operator) if operator is not None else "+"
        if sign in ("||", "??", "or", "?:", "and", "&&"):
            env = ENV.findall(raw)
            last = _LAST_STRING.search(raw)
            refers = tuple(dict.fromkeys(env)) or (_short(raw),)
            return Value(raw[:160], start, end, False, refers, last[1] if last else None)
        if sign in ("==", "===", "!=", "!==", "<", ">", "<=", ">=", "in", "is"):
            seen = tuple(dict.fromkeys(ENV.findall(raw)))
            return Value(raw[:160], start, end, False, seen or (raw[:60],), telling=bool(seen))
        while stack and len(parts) < 200:
            one = stack.pop()
            if one.type in (
                "binary_expression",
                "binary_operator",
                "concatenated_string",
                "additive_expression",
                "binary",
                "parenthesized_expression",
            ):
                stack.extend(reversed(one.named_children))
            else:
                parts.append(self.of(one, depth + 1))
        if sign == "%" and parts:
            right = node.child_by_field_name("right")
            given = [right] if right is not None and right.type != "tuple" else right.named_children if right is not None else []
            return self._filled(parts[0], given, depth) if parts[0].exact else parts[0]
        if sign == "/":
            return self._path(parts, start, end)
        if _HERE.match(raw) and len(parts) > 1 and not parts[0].plain:
            parts = [replace(parts[1], text=parts[1].text.lstrip("/")), *parts[2:]]
        text = "".join(
            p.text if (p.strings and p.telling) or p.plain else "${" + (p.refers[0] if p.refers else "x")[:40] + "}"
            for p in parts
        )
        refers = tuple(dict.fromkeys(r for p in parts for r in p.refers))
        return Value(
            text, start, end, look(text).plain, refers or look(text).refers, exact=False, strings=sum(p.strings for p in parts)
        )

    def _several(self, node: Any, start: int, end: int, depth: int) -> Value:
        """A list is worth what its only element is; of several none alone decides."""
        parts = [self.of(child, depth + 1) for child in node.named_children[:20] if child.type not in COMMENTS]
        if len(parts) == 1:
            return replace(parts[0], start=start, end=end, exact=False)
        text = ", ".join(part.text for part in parts)
        return Value(text, start, end, False, tuple(dict.fromkeys(r for p in parts for r in p.refers)) or (_short(text),))

    def _path(self, parts: list[Value], start: int, end: int) -> Value:
        """``BASE / "certs" / "rds.pem"``: what stands before the names is a folder, mostly that of the project."""
        names = [p.text.strip("/") if i else p.text.rstrip("/") for i, p in enumerate(parts) if p.plain]
        refers = tuple(r for p in parts[1:] for r in p.refers)
        return Value("/".join(names), start, end, all(p.plain for p in parts[1:]), refers, exact=False, strings=len(names))

    def _template(self, call: Any, depth: int) -> Value | None:
        """The text that a call fills in: the first string of ``fmt.Sprintf("postgres://%s/x", host)``."""
        first = next((s for s in self._strings(call, depth) if "://" in s.text or "=" in s.text), None)
        if first is None or first.plain:
            return first if first is not None and "{" not in first.text else None
        return self._filled(first, [c for c in self._arguments(call) if self.offset(c.start_byte) >= first.end], depth)

    def filled(self, call: Any) -> Value | None:
        """The text that a call of ``Sprintf``'s kind fills in, where each hole's worth is known."""
        if call.end_byte - call.start_byte > 2000 or not _FORMAT.match(self.raw(call)):
            return None
        text = self._template(call, 0)
        return text if text is not None and text.exact and len(text.refers) == len(HOLES.findall(text_of(self.text, text))) > 0 else None

    def _arguments(self, call: Any) -> list[Any]:
        inside = next((c for c in call.named_children if "argument" in c.type), None)
        return [c for c in inside.named_children if c.type not in COMMENTS] if inside is not None else []

    def _filled(self, text: Value, given: list[Any], depth: int) -> Value:
        """*text* with its holes (``%s``) decided by what is given for them, in their order."""
        if not given or len(given) != len(HOLES.findall(text_of(self.text, text))):
            return text
        worth = [self.of(one, depth + 1) for one in given]
        return replace(text, refers=tuple(v.refers[0] if v.refers else _short(self.raw(n)) for v, n in zip(worth, given, strict=True)))

    def _strings(self, node: Any, depth: int) -> list[Value]:
        found: list[Value] = []
        stack = [node]
        steps = 0
        while stack and steps < 60:
            one = stack.pop()
            steps += 1
            if self.is_string(one):
                found.append(self.of(one, depth + 1))
            elif one.type in _OPERATIONS and one.id != node.id and (whole := self.of(one, depth + 1)).strings:
                found.append(whole)
            elif one.type in _NAMES and one.parent is not None and "argument" in one.parent.type:
                named = self._named(one, depth + 1)
                found += [named] if named is not None else []
            else:
                stack.extend(reversed(one.named_children))
        return found

    def add(self, page: Page, name: str, value: Value, key_at: int, block: int) -> None:
        entry = page.add(
            name, value.text, value.start, value.end, key_at, block, plain=value.plain, refers=value.refers, default=value.default
        )
        entry.exact, entry.written = value.exact, value.written


ENUMS = {
    "disable": "disable", "disabled": "disable", "allow": "allow", "prefer": "prefer", "require": "require", "verifyca": "verify-ca",
    "verifyfull": "verify-full", "certnone": "CERT_NONE", "certrequired": "CERT_REQUIRED", "certoptional": "CERT_OPTIONAL",
    "verifynone": "verify_none", "verifypeer": "verify_peer",
}  # fmt: skip


def _short(raw: str) -> str:
    """The start of an expression, on one line."""
    return re.split(r"[?\n{]", raw.strip())[0].strip()[:60] or "expression"


def _same_length(hole: str) -> str:
    """``%s`` and ``{name}`` in the form of a variable, as many characters long."""
    inner = re.sub(r"\W", "_", hole[1:-1] if hole[0] == "{" else hole[1:])
    return ("$_" + inner)[: len(hole)] if hole[0] == "{" else "$" + inner
