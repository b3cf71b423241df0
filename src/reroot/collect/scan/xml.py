"""XML: Spring beans, Tomcat's ``context.xml``, ``persistence.xml``, DataGrip's data sources, ``web.config``. DTDs and entities are refused."""

from __future__ import annotations

import re
from xml.parsers import expat

from ._interpolation import look
from ._reader import MAX_DEPTH, Page, Reader, Unreadable
from ._text import Text

_ATTRIBUTE = re.compile(r"""(?<![\w:.\-])([\w:.\-]+)\s*=\s*("([^"]*)"|'([^']*)')""")


def claims(path: str) -> int:
    return 8 if path.endswith((".xml", ".config", ".xml.template", ".xml.j2", ".dsn", ".csproj", ".xml.erb")) else 0


def read(text: Text) -> Page:
    page = Page(text)
    data = text.text.encode("utf-8", "replace")
    ascii_only = len(data) == len(text.text)
    parser = expat.ParserCreate("utf-8")
    stack: list[tuple[int, str, int]] = [(0, "", 0)]

    def here() -> int:
        at = parser.CurrentByteIndex
        return at if ascii_only else len(data[:at].decode("utf-8", "ignore"))

    def refuse(*_: object) -> int:
        raise Unreadable("a document type with entities")

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            raise Unreadable(f"nested deeper than {MAX_DEPTH}")
        at = here()
        block = page.block(attributes.get("id") or attributes.get("name") or tag, stack[-1][0], "mapping", text.at(at))
        _attributes(page, at, block, stack[-1][0])
        close = text.text.find(">", at)
        stack.append((block, tag, close + 1))

    def end(tag: str) -> None:
        block, _, body = stack.pop()
        at = here()
        raw = text.text[body:at]
        if raw and "<" not in raw and raw.strip():
            lead = len(raw) - len(raw.lstrip())
            value = _entities(raw.strip())
            seen = look(value)
            name = page.blocks[block].label
            page.add(
                name,
                value,
                body + lead,
                body + lead + len(raw.strip()),
                page.blocks[block].start if not text.pieces else body,
                stack[-1][0],
                plain=seen.plain,
                refers=seen.refers,
                default=seen.default,
            )
        page.blocks[block].end = text.at(at)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CommentHandler = lambda body: page.prose.append((here(), here() + len(body) + 7))
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        if not page.entries:
            raise Unreadable(f"not XML: {expat.ErrorString(error.code)}") from None
    return page


def _attributes(page: Page, at: int, block: int, parent: int) -> None:
    body = page.text.text
    end = body.find(">", at)
    found = {}
    for match in _ATTRIBUTE.finditer(body, at, end if end > 0 else len(body)):
        value = match[3] if match[3] is not None else match[4]
        found[match[1]] = (_entities(value), match.start(2) + 1, match.end(2) - 1, match.start(1))
    name, value_of = found.get("name") or found.get("key"), found.get("value")
    if name and value_of:
        found = {k: v for k, v in found.items() if k not in ("name", "key", "value")}
        seen = look(value_of[0])
        page.add(
            name[0], value_of[0], value_of[1], value_of[2], at, parent, plain=seen.plain, refers=seen.refers, default=seen.default
        )
    for key, (value, start, stop, key_at) in found.items():
        seen = look(value)
        page.add(key, value, start, stop, key_at, block, plain=seen.plain, refers=seen.refers, default=seen.default)


def _entities(text: str) -> str:
    for name, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'")):
        text = text.replace(name, char)
    return text


READER = Reader("XML", claims, read)
