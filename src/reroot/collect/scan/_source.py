"""
Source code, read through its own grammar: literals, concatenations, environment defaults, option objects, keyword arguments,
builders. Nothing is run or imported.

Only statements around a telling word are looked at. One table of node types serves every language, since their grammars call
things alike; where a grammar is not installed, a plain reading of the lines takes its place, and then nothing is decidable.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ._anchors import MAX_NESTING, anchors, nesting
from ._grammar import BODIES, CALLS, CHOICES, COMMENTS, OBJECTS, PAIRS, SCOPES
from ._names import role, squeezed
from ._plainly import plainly
from ._reader import MAX_DEPTH, Page, Unreadable
from ._text import Text
from ._values import Value, Values

MAX_CLIMB = 500
"""Steps up a tree: a chain of calls may be as deep as its file is long."""
MAX_NAMES = 500
"""Names whose only expression is looked for in one file: each is sought through all of it."""
MAX_STATEMENT = 100_000
"""Bytes; of a longer one only the part around a telling word is read."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its wheel, the function that gives its grammar, and what its files are called."""

    name: str
    wheel: str
    ends: tuple[str, ...]
    function: str = "language"
    braces: bool = False
    """Do format strings write their holes as ``{name}``?"""

    def claims(self, path: str) -> int:
        return 9 if path.endswith(self.ends) else 0

    def read(self, text: Text) -> Page:
        return read(text, self)


@lru_cache(maxsize=32)
def _parser(wheel: str, function: str) -> Any:
    """The parser of one grammar; None when it, or tree-sitter itself, is not installed."""
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        grammar = importlib.import_module(wheel)
    except ImportError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(getattr(grammar, function)()))


def read(text: Text, language: Language) -> Page:
    page = Page(text, language=language.name)
    spots = anchors(text.text)
    if not spots:
        return page
    if nesting(text.text) > MAX_NESTING:
        raise Unreadable(f"nested deeper than {MAX_NESTING}")
    parser = _parser(language.wheel, language.function) if language.wheel else None
    if parser is None:
        plainly(page, spots)
        return page
    data = text.text.encode("utf-8", "replace")
    offset: Callable[[int], int] = int if len(data) == len(text.text) else _Offsets(text.text).character
    back = _Offsets(text.text).byte if len(data) != len(text.text) else int
    tree = parser.parse(data)
    reading = _Reading(page, data, offset, language, tree)
    covered = 0
    for spot in spots:
        at = back(spot)
        if at < covered:
            continue
        cursor = _at(tree, at)
        if cursor.node.type in COMMENTS:
            continue
        statement, scope = _statement(cursor)
        covered = statement.end_byte
        reading.statement(statement, scope)
    return page


class _Offsets:
    """Bytes of the UTF-8 form ↔ characters."""

    def __init__(self, text: str) -> None:
        self.starts = [0]
        self.step = 256
        for i in range(0, len(text), self.step):
            self.starts.append(self.starts[-1] + len(text[i : i + self.step].encode("utf-8", "replace")))
        self.text = text

    def byte(self, character: int) -> int:
        part, rest = divmod(character, self.step)
        return self.starts[part] + len(self.text[part * self.step : part * self.step + rest].encode("utf-8", "replace"))

    def character(self, byte: int) -> int:
        from bisect import bisect_right

        part = bisect_right(self.starts, byte) - 1
        rest = self.text[part * self.step : (part + 1) * self.step].encode("utf-8", "replace")[: byte - self.starts[part]]
        return part * self.step + len(rest.decode("utf-8", "ignore"))


def _at(tree: Any, at: int) -> Any:
    """A cursor on the innermost node around a byte. Only a cursor knows its way up: a node looks for its parent from the root."""
    cursor = tree.walk()
    while cursor.goto_first_child_for_byte(at) is not None:
        pass
    while not cursor.node.start_byte <= at < cursor.node.end_byte and cursor.goto_parent():
        pass
    return cursor


def _statement(cursor: Any) -> tuple[Any, Any]:
    """The innermost statement around a cursor, and the function or class around that: what stands directly in a body, or as much
    of it as is worth reading."""
    node = cursor.node
    inside = cursor.goto_parent()
    for _ in range(MAX_CLIMB):
        if not inside or cursor.node.type in BODIES or cursor.node.end_byte - cursor.node.start_byte > MAX_STATEMENT:
            break
        node = cursor.node
        inside = cursor.goto_parent()
    for _ in range(MAX_CLIMB):
        if not inside:
            break
        if cursor.node.type in SCOPES:
            return node, cursor.node
        inside = cursor.goto_parent()
    return node, None


@dataclass(slots=True)
class _Reading:
    page: Page
    data: bytes
    offset: Callable[[int], int]
    language: Language
    tree: Any
    scopes: dict[int, int] = field(default_factory=dict)
    expressions: dict[str, Any] = field(default_factory=dict)
    values: Values = field(init=False)

    def __post_init__(self) -> None:
        self.values = Values(self.page.text.text, self.data, self.offset, self.language.name)
        self.values.assigned = self.assigned

    def statement(self, node: Any, scope: Any) -> None:
        stack: list[tuple[Any, int, int]] = [(node, self.within(scope) if scope is not None else 0, 0)]
        while stack:
            node, block, depth = stack.pop()
            if depth > 4 * MAX_DEPTH or node.type in COMMENTS:
                continue
            for child, inner in reversed(self.visit(node, block)):
                stack.append((child, inner, depth + 1))

    def assigned(self, name: str) -> Any:
        """The expression that *name* is set to, where this file sets it once; None where it sets it never or several times."""
        if name not in self.expressions:
            is_sought = len(name) > 1 and name.isascii() and len(self.expressions) < MAX_NAMES
            self.expressions[name] = self.expression(name.lstrip("$")) if is_sought else None
        return self.expressions[name]

    def expression(self, name: str) -> Any:
        places = [m.start(1) for m in re.finditer(rb"(?<![\w.])(" + re.escape(name.encode()) + rb")\b[^=\n;(){}]{0,40}=(?![=>])", self.data)]
        if len(places) != 1:
            return None
        cursor = _at(self.tree, places[0])
        for _ in range(4):
            fields = PAIRS.get(cursor.node.type)
            found = self.pair(cursor.node, fields) if fields is not None else None
            if found is not None:
                return found[1] if found[0].start_byte <= places[0] < found[0].end_byte else None
            if not cursor.goto_parent():
                break
        return None

    def within(self, scope: Any) -> int:
        """The block of a function or class."""
        if scope.id not in self.scopes:
            name = scope.child_by_field_name("name")
            label = self.text(name)[:60] if name is not None else ""
            self.scopes[scope.id] = self.page.block(label, 0, "mapping", self.offset(scope.start_byte))
        return self.scopes[scope.id]

    def tail(self, node: Any) -> str:
        """The last of a node's text: enough to name a call at the end of a long chain."""
        return self.data[max(node.start_byte, node.end_byte - 200) : node.end_byte].decode("utf-8", "replace")

    def text(self, node: Any) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def visit(self, node: Any, block: int) -> list[tuple[Any, int]]:
        """Take one node in; what stands in it, with the block it belongs to, is looked at next."""
        kind = node.type
        if kind in SCOPES:
            block = self.within(node)
        if self.values.is_string(node):
            self.values.add(self.page, "", self.values.of(node), self.offset(node.start_byte), block)
            return []
        if kind in CALLS:
            return self.call(node, block)
        if kind == "shorthand_property_identifier":
            if role(self.text(node)) in ("mode", "roots", "off"):  # `{ ca }`; a whole `{ ssl }` is read where it is made
                self.values.add(self.page, self.text(node), self.values.of(node), self.offset(node.start_byte), block)
            return []
        pair = PAIRS.get(kind)
        if pair is not None:
            found = self.pair(node, pair)
            if found is not None:
                return self.named(*found, block)
        value = (
            self.values.of(node)
            if kind in ("binary_expression", "binary_operator", "concatenated_string", "additive_expression")
            else None
        )
        if value is not None and value.strings:
            self.values.add(self.page, "", value, self.offset(node.start_byte), block)
            return []
        if kind in ("struct_expression", "composite_literal"):
            name = node.child_by_field_name("type") or node.child_by_field_name("name")
            label = re.sub(r"\s+", "", self.text(name))[:60] if name is not None else ""
            block = self.page.block(label, block, "object", self.offset(node.start_byte))
        elif kind in OBJECTS and kind not in ("list", "array", "literal_value", "initializer_expression"):
            block = self.page.block("", block, "object", self.offset(node.start_byte))
        return [(child, block) for child in node.named_children]

    def pair(self, node: Any, fields: tuple[str, str]) -> tuple[Any, Any] | None:
        name = node.child_by_field_name(fields[0]) if fields[0] else None
        value = node.child_by_field_name(fields[1]) if fields[1] else None
        children = [
            c for c in node.named_children if c.type not in COMMENTS and "modifier" not in c.type and "annotation" not in c.type
        ]
        if name is None and value is None and len(children) == 2:
            name, value = children
        elif node.type in ("variable_declarator", "property_declaration", "argument") and value is None and len(children) >= 2:
            name, value = name or children[0], children[-1]
        if name is None or value is None or name.id == value.id:
            return None
        return name, value

    def named(self, name: Any, value: Any, block: int) -> list[tuple[Any, int]]:
        label = self.name(name)
        while value.type in (
            "expression_list",
            "literal_element",
            "parenthesized_expression",
            "await_expression",
            "await",
            "equals_value_clause",
        ):
            inner = [c for c in value.named_children if c.type not in COMMENTS]
            if len(inner) != 1:
                break
            value = inner[0]
        at = self.offset(name.start_byte)
        if value.type in ("array", "list") and role(label) == "roots":
            self.values.add(self.page, label, self.values.of(value), at, block)
            return []
        if value.type in OBJECTS:
            inside = self.page.block(label, block, "object", at)
            return [(child, inside) for child in value.named_children]
        branches = [child for child in value.named_children if child.type in OBJECTS]
        if (
            branches
            or (value.type in CALLS and not self.values.is_simple(value))
            or "lambda" in value.type
            or value.type in SCOPES
        ):
            inside = self.page.block(label, block, "object", at)
            if not branches and value.type in CALLS and role(label) == "roots":  # roots are named, whatever they come from
                found = self.values.of(value)
                text = found.text if found.telling else " ".join(self.text(value).split())[:60]
                self.values.add(self.page, label, replace(found, text=text, plain=False), at, block)
            if branches and value.type in CHOICES:
                self.values.add(self.page, label, self.values.of(value), at, block)
                return [(grandchild, inside) for child in branches for grandchild in child.named_children]
            return [(value, inside)]
        if value.type in ("identifier", "variable_name") and self.tail(name).rpartition(".")[2].lstrip("$@") == self.text(
            value
        ).lstrip("$@"):
            return []  # `self.sslmode = sslmode` only hands on
        found = self.values.of(value)
        self.values.add(self.page, label, found, at, block)
        if found.telling or not value.named_children:
            return []
        return [(child, self.page.block(label, block, "object", at)) for child in value.named_children]

    def name(self, node: Any) -> str:
        """What a key or a left side is called: ``cfg["ssl"]`` and ``cfg.ssl`` are ``ssl``."""
        if node.end_byte - node.start_byte > 300:
            return ""
        text = self.text(node).strip()
        if "(" in text and (inner := re.search(r"""\)\s*\[\s*["']([\w.\-]+)["']\s*\]$""", text)):
            return inner[1]
        if not re.fullmatch(r"""[\w.\-/ \[\]"'`:$@>,?*]+""", text):
            return ""
        inner = re.search(r"""\[\s*:?["']?([\w.\-/ ]+)["']?\s*\]$""", text)
        if inner:
            return inner[1]
        if text[:1] in "\"'`" and text[-1:] == text[:1]:
            return text[1:-1][:100]
        text = text.strip("\"'`:").lstrip("$@")
        text = text.split(":")[0] if self.language.name in ("typescript", "kotlin") and ":" in text else text
        return (
            re.split(r"\.|->|::", text)[-1].strip()[:100]
            if not re.search(r"\s", text)
            else text.split()[-1][:100]
            if "." not in text
            else text[:100]
        )

    def call(self, node: Any, block: int) -> list[tuple[Any, int]]:
        fields = CALLS[node.type]
        function = node.child_by_field_name(fields[0]) or node.child_by_field_name("method")
        if function is None and node.named_children:
            function = node.named_children[0]
        arguments = node.child_by_field_name(fields[1]) if fields[1] else None
        if arguments is None:
            arguments = next(
                (c for c in node.named_children if "argument" in c.type or c.type == "token_tree" or c.type == "call_suffix"),
                None,
            )
        label = re.sub(r"\s+", " ", self.tail(function))[-80:] if function is not None else ""
        receiver = node.child_by_field_name("object") or node.child_by_field_name("receiver")
        if receiver is not None and receiver.end_byte - receiver.start_byte < 60 and receiver is not function:
            label = f"{self.text(receiver)}.{label}"
        label = ("new " if node.type in ("new_expression", "object_creation_expression") else "") + label
        before: list[tuple[Any, int]] = []
        for inner in (function, receiver):
            if (
                inner is not None
                and self.data.find(b"(", inner.start_byte, inner.end_byte) >= 0
                and inner.type not in ("identifier", "name")
            ):
                before.append((inner, block))
                label = label.rpartition(").")[2] or label
                break
        rest = [c for c in node.named_children if c.type == "initializer_expression"]
        if arguments is None and not rest:
            return before + [(c, block) for c in node.named_children if function is None or c.id != function.id]
        given = [a for a in (arguments.named_children if arguments is not None else ()) if a.type not in COMMENTS]
        given = [
            a.named_children[0] if a.type in ("argument", "value_argument") and len(a.named_children) == 1 else a for a in given
        ]
        if label.endswith(".load_verify_locations") and len(given) == 1:  # said of the context, as `c.verify_mode` is
            pair = PAIRS.get(given[0].type)
            named = self.pair(given[0], pair) if pair is not None else None
            if named is None or self.text(named[0]) == "cafile":
                value = self.values.of(named[1] if named is not None else given[0])
                self.values.add(self.page, "cafile", value, self.offset(given[0].start_byte), block)
                return before
        if self.setter(label, given, node, block):
            return before
        inside = self.page.block(label, block, "call", self.offset(node.start_byte))
        if (filled := self.values.filled(node)) is not None:
            self.values.add(self.page, "", filled, filled.start, inside)
            return before
        for argument in given:
            if argument.type in ("dictionary_splat", "hash_splat_argument") and argument.named_children and argument.named_children[0].type == "identifier":
                name = self.text(argument.named_children[0])
                self.page.add("**", name, self.offset(argument.start_byte), self.offset(argument.end_byte), self.offset(argument.start_byte), inside, plain=False, refers=(name,))
            if argument.type == "identifier" and self.text(argument) == "NoTls":  # tokio-postgres: a connector that does none
                none = replace(self.values.of(argument), text="disable", plain=True, refers=(), written="NoTls", exact=False)
                self.values.add(self.page, "sslmode", none, self.offset(argument.start_byte), inside)
        return before + [(a, inside) for a in given] + [(c, inside) for c in rest]

    def setter(self, label: str, given: list[Any], node: Any, block: int) -> bool:
        """``props.setProperty("sslmode", "require")``, ``.ssl_mode(PgSslMode::Require)``, ``ENV.fetch`` are settings, not calls."""
        method = re.split(r"\.|::|->", label)[-1]
        at = self.offset(given[0].start_byte) if given else 0
        if len(given) == 2 and re.match(
            r"^(set|put|add|option|with|param|connectionParam|addDataSource|property|insert|append)", method, re.IGNORECASE
        ):
            first = self.values.of(given[0])
            name = first.text if self.values.is_string(given[0]) else self.name(given[0]).removesuffix("()")
            if not self.values.is_string(given[0]):
                found = re.search(r"\.([A-Z_]{3,})(\.getName\(\))?$", self.text(given[0]))
                name = found[1] if found else name
            if role(name) or "ssl" in name.lower():
                self.values.add(self.page, name, self.values.of(given[1]), at, block)
                return True
        if len(given) == 2 and method == "set" and (found := re.search(r"PGProperty\.(\w+)", label)):
            self.values.add(self.page, found[1], self.values.of(given[1]), at, block)
            return True
        name = re.sub(r"^(set|with|enable|use|add)_?(?=[A-Z_a-z])", "", method)
        if (
            len(given) == 1
            and role(name) in ("mode", "roots", "off", "factory", "truststore", "switch", "names")
            and squeezed(name) not in ("ssl",)
            and method != "SSLContext"
        ):
            self.values.add(self.page, name, self.values.of(given[0]), self.offset(node.end_byte) - 1 if not given else at, block)
            return True
        if (
            len(given) == 1
            and method in ("ssl", "setSsl", "setUrl", "setJdbcUrl", "url", "setURL")
            and (self.values.is_string(given[0]) or not given[0].named_children)
        ):
            self.values.add(self.page, name[:1].lower() + name[1:], self.values.of(given[0]), at, block)
            return True
        return False


__all__ = ["Language", "Value", "read"]
