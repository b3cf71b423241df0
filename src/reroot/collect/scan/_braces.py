"""
One tolerant reader for everything written with braces: JSON with and without comments, HCL, HOCON, TOML's inline tables, Prisma.

It never recurses, forgives trailing commas and missing ones, and keeps the offset of each value.
"""

from __future__ import annotations

import re

from ._interpolation import FORM, look
from ._reader import MAX_DEPTH, Page, Unreadable

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+)|(?P<newline>\n)
    |(?P<comment>\#[^\n]*|//[^\n]*)|(?P<block>/\*)
    |(?P<heredoc><<[-~]?(?P<tag>\w+)[^\n]*\n)
    |(?P<long>\"\"\"|\'\'\')
    |(?P<string>"(?>[^"\\\n$]|\\.|\$\{(?>[^{}"\n]|"[^"\n]*")*+\}|\$)*+"|'(?>[^'\\\n]|\\.)*+')
    |(?P<hole>\$\{[^{}\n]*\}|\{\{[^{}\n]*\}\})
    |(?P<open>[{\[(])|(?P<close>[}\])])|(?P<sign>\+=|=>|[=:,;])
    |(?P<word>[^\s"'{}\[\](),;:=\#]+)|(?P<other>.)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_TRANSPARENT = frozenset({"jsonencode", "yamlencode", "merge", "tomap", "object", "concat", "tolist", "flatten"})
"""Functions that only wrap what stands in them."""
_COMPUTED = re.compile(
    r"^(var|local|module|data|each|path|random_\w+|aws_\w+|google_\w+|azurerm_\w+|null_\w+|self|count)\.|^\w+\("
)


def unescaped(raw: str) -> str:
    if "\\" not in raw:
        return raw

    def one(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] == "u" and len(code) == 5 else _PLAIN.get(code, code)

    return _ESCAPE.sub(one, raw)


def read_braces(page: Page, *, hash_comments: bool = True, start: int = 0, end: int | None = None, block: int = 0) -> None:
    """Fill *page* with what stands between *start* and *end* of its text."""
    body = page.text.text
    end = len(body) if end is None else end
    stack: list[tuple[int, str]] = [(block, "")]
    words: list[tuple[str, int, int, bool]] = []
    sign: str = ""
    value_parts: list[tuple[str, int, int, bool]] = []
    at = start

    def flush() -> None:
        """One ``name = value`` or list item is complete."""
        nonlocal sign
        here = stack[-1][0]
        if sign and words and value_parts:
            _pair(page, words, value_parts, here)
        elif not sign and words and stack[-1][1] in "[(":
            for text, a, b, quoted in words:
                if quoted:
                    seen = look(text)
                    page.add("", text, a, b, a, here, plain=seen.plain, refers=seen.refers, default=seen.default)
        elif not sign and len(words) >= 2 and stack[-1][1] == "{":
            _pair(page, words[:1], words[1:], here)
        words.clear()
        value_parts.clear()
        sign = ""

    while at < end:
        match = _TOKEN.match(body, at, end)
        if match is None:
            break
        kind, at = match.lastgroup or "", match.end()
        if kind == "tag":
            kind = "heredoc"
        if kind == "space":
            continue
        if kind == "comment":
            if body[match.start()] == "#" and not hash_comments:
                at = match.start() + 1
                continue
            page.prose.append(match.span())
            continue
        if kind == "block":
            close_at = body.find("*/", at, end)
            at = end if close_at < 0 else close_at + 2
            page.prose.append((match.start(), at))
            continue
        if kind == "newline":
            if stack[-1][1] == "(":
                continue
            if (sign and value_parts and not _continues(body, at, end)) or (
                not sign and words and stack[-1][1] == "{" and not _opens(body, at)
            ):
                flush()
            continue
        if kind == "heredoc":
            tag = match["tag"]
            close = re.compile(rf"^[ \t]*{re.escape(tag)}[ \t]*$", re.MULTILINE).search(body, at, end)
            stop = close.start() if close else end
            value_parts.append((body[at:stop], at, stop, True))
            at = close.end() if close else end
            flush()
        elif kind == "long":
            close_at = body.find(match[0], at, end)
            close_at = end if close_at < 0 else close_at
            (value_parts if sign else words).append((body[at:close_at], at, close_at, True))
            at = min(end, close_at + 3)
        elif kind == "string":
            token = (unescaped(match[0][1:-1]), match.start() + 1, match.end() - 1, True)
            (value_parts if sign else words).append(token)
        elif kind in ("word", "hole", "other"):
            (value_parts if sign else words).append((match[0], match.start(), match.end(), False))
        elif kind == "sign":
            if match[0] in (",", ";"):
                if stack[-1][1] == "(" and sign:
                    value_parts.append((",", match.start(), match.end(), False))
                else:
                    flush()
            elif not sign and words:
                sign = match[0]
            elif sign:
                value_parts.append((match[0], match.start(), match.end(), False))
        elif kind == "open":
            if match[0] == "(" and (value_parts or words) and (value_parts or words)[-1][0] in _TRANSPARENT:
                label = words[0][0] if words else ""
                stack.append((page.block(label, stack[-1][0], "mapping", page.text.at(match.start())), "("))
                words.clear()
                value_parts.clear()
                sign = ""
                continue
            if match[0] == "(":
                depth, close_at = 1, at
                while depth and close_at < end:
                    inner = _TOKEN.match(body, close_at, end)
                    if inner is None:
                        break
                    close_at = inner.end()
                    depth += {"(": 1, ")": -1}.get(inner[0], 0)
                (value_parts if sign else words).append((body[match.start() : close_at], match.start(), close_at, False))
                at = close_at
                continue
            if len(stack) > MAX_DEPTH:
                raise Unreadable(f"nested deeper than {MAX_DEPTH}")
            if value_parts and not sign:
                flush()
            label = " ".join(w[0] for w in words)
            key_at = words[0][1] if words else match.start()
            prefix = [p for p in value_parts if p[3] or not p[0].strip()]
            child = page.block(label, stack[-1][0], "resource" if len(words) > 1 else "mapping", page.text.at(key_at))
            if prefix and sign:
                _pair(page, words, prefix, stack[-1][0])
            words.clear()
            value_parts.clear()
            sign = ""
            stack.append((child, match[0]))
        elif kind == "close":
            flush()
            if len(stack) > 1:
                done, _ = stack.pop()
                page.blocks[done].end = page.text.at(match.end())
    flush()


def _opens(body: str, at: int) -> bool:
    """Does the next character that is no blank open a brace (``name\\n{``)?"""
    rest = body[at : at + 200].lstrip()
    return rest.startswith("{")


def _continues(body: str, at: int, end: int) -> bool:
    """A value goes on with ``?``, ``:`` or an operator at the next line's start."""
    rest = body[at : min(end, at + 80)].lstrip(" \t")
    return rest.startswith(("? ", ": ", "+ ", "|| ", "&& "))


def _pair(page: Page, words: list[tuple[str, int, int, bool]], parts: list[tuple[str, int, int, bool]], block: int) -> None:
    name, key_at = words[-1][0] if len(words) == 1 else words[0][0], words[0][1]
    if len(parts) == 1:
        text, a, b, quoted = parts[0]
        seen = look(text)
        computed = not quoted and bool(_COMPUTED.match(text))
        refers = seen.refers or ((text.partition("(")[0],) if computed else ())
        page.add(name, text, a, b, key_at, block, plain=not computed and seen.plain, refers=refers, default=seen.default)
        return
    a, b = parts[0][1], parts[-1][2]
    text = page.text.text[a:b]
    if all(not p[3] for p in parts) and not FORM.search(text) and not any(c in text for c in "?(.\"'"):
        page.add(name, text.strip(), a, b, key_at, block)
        return
    refers = look(text).refers or tuple(dict.fromkeys(re.findall(r"[A-Za-z_][\w.]{2,}", text)))[:4]
    strings = [p for p in parts if p[3]]
    shown = "".join(p[0] if p[3] else "${" + re.sub(r"[^\w.]", "", p[0])[:40] + "}" for p in parts if p[0] not in "+.")
    page.add(name, shown if strings else text, a, b, key_at, block, plain=False, refers=refers or ("expression",))
