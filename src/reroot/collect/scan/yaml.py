"""
YAML of every kind: Kubernetes, Helm values and templates, compose, Spring, Rails, workflows, Ansible, Debezium.

Read as events, so that depth and aliases cost nothing; templates are covered with as many harmless characters before, and the
value that holds one is not plain. Tags are not obeyed. What is no YAML even then is read line by line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace

import yaml

from . import _names, _shapes
from ._braces import read_braces
from ._commands import joined
from ._interpolation import look, path_of
from ._reader import MAX_DEPTH, MAX_ENTRIES, Block, Entry, Page, Reader, Unreadable
from ._text import Text

MAX_EVENTS = 400_000
MAX_MERGES = 500
PROFILES = ("on-profile", "profiles", "spring.profiles", "spring.config.activate.on-profile")
TLS = ("mode", "roots", "switch", "off", "factory", "truststore")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HOLE = re.compile(r"\{\{[^{}]*\}\}|\{%[^%]*%\}|<%[^%]*%>|\{\#[^#]*\#\}")
_ALONE = re.compile(r"^[ \t]*(?:-[ \t]+)?(?:\{\{[^\n]*\}\}|\{%[^\n]*%\}|<%(?!=)[^\n]*%>)[ \t]*$", re.MULTILINE)
_ITEM = re.compile(r"([A-Za-z_][\w.\-]*)=(.*)", re.DOTALL)
_FILE_KEY = re.compile(
    r"^[\w.-]+\.(properties|ya?ml|json|toml|ini|conf|env|sh|xml|sql|tf|cfg|tpl)$|^\.?(pg_service\.conf|pgpass|env)$|^Dockerfile$"
)
_PROGRAMS = {"GITLAB_OMNIBUS_CONFIG": "gitlab.rb"}
"""Variables that hold a whole file."""
_MAPPING = re.compile(r"\s*(?:- )?[\w.\-]{1,60}:(?:\s|$)")
"""How a text begins that is YAML within YAML."""
_LINE = re.compile(r"^([ \t]*)(?:-[ \t]+)?([\w./\"'\-]+)[ \t]*:(?:[ \t]+(\S[^\n]*))?$")


def claims(path: str) -> int:
    if path.endswith(
        (".yml", ".yaml", ".yml.j2", ".yaml.j2", ".yaml.tpl", ".yml.tpl", ".yaml.gotmpl", ".yml.erb", ".yaml.erb", ".yml.dist")
    ):
        return 8
    name = path.rpartition("/")[2]
    return 8 if re.fullmatch(r"[\w.-]+\.ya?ml[.\w-]*", name) or ("/templates/" in path and name.endswith(".tpl")) else 0


def read(text: Text) -> Page:
    page = Page(text)
    covered = _cover(text.text)
    try:
        _events(page, covered)
    except (yaml.YAMLError, ValueError, IndexError):
        page.blocks[1:], page.entries[:], page.commands[:] = [], [], []
        _by_lines(page)
    _shapes.settle(page)
    for start in re.finditer(r"^[ \t]*#[^\n]*", text.text, re.MULTILINE):
        page.prose.append(start.span())
    return page


def _cover(text: str) -> str:
    """*text* with each template in it covered by as many harmless characters, and each line of nothing else made a comment."""
    depth = flow = 0
    for match in re.finditer(r"[\[{\]}]", text):
        flow += 1 if match[0] in "[{" else -1
        flow = max(flow, 0)
        depth = max(depth, flow)
    if depth > 20 * MAX_DEPTH:
        raise Unreadable(f"nested deeper than {20 * MAX_DEPTH}")
    if "{{" in text or "{%" in text or "<%" in text:
        text = _ALONE.sub(lambda m: "#" + "_" * (len(m[0]) - 1), text)
        text = _HOLE.sub(lambda m: re.sub(r"[^\n]", "_", m[0]), text)
    text = text.replace("\t", " ")
    return re.sub(r"[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]", "?", text)


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is open: its block, and the key that waits for its value."""

    is_mapping: bool
    block: int
    key: str | None = None
    key_at: int = 0


def _events(page: Page, covered: str) -> None:
    frames: list[_Frame] = []
    anchors: dict[str, int] = {}
    merges: list[tuple[int, int, int]] = []
    original = page.text.text
    for count, event in enumerate(yaml.parse(covered, Loader=_LOADER)):
        if count > MAX_EVENTS:
            raise Unreadable(f"more than {MAX_EVENTS} YAML events")
        start = event.start_mark.index if event.start_mark else 0
        end = event.end_mark.index if event.end_mark else 0
        top = frames[-1] if frames else None
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(frames) > MAX_DEPTH:
                raise Unreadable(f"nested deeper than {MAX_DEPTH}")
            parent, label, at = 0, "", start
            if top is not None:
                parent = top.block
                label = (top.key or "") if top.is_mapping else page.blocks[parent].label
                at = top.key_at if top.is_mapping and top.key is not None else start
                top.key = None
            frames.append(_Frame(isinstance(event, yaml.MappingStartEvent), page.block(label, parent, start=page.text.at(at))))
            if event.anchor:
                anchors[event.anchor] = frames[-1].block
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            page.blocks[frames.pop().block].end = page.text.at(end)
        elif top is None:
            continue
        elif isinstance(event, yaml.AliasEvent):
            into = top if top.is_mapping else frames[-2] if len(frames) > 1 else top
            if (top.key == "<<" or page.blocks[top.block].label == "<<") and event.anchor in anchors:
                merges.append((into.block, anchors[event.anchor], page.text.at(top.key_at or start)))
            top.key = None if top.key is not None else event.anchor
        elif isinstance(event, yaml.ScalarEvent):
            if top.is_mapping and top.key is None:
                top.key, top.key_at = original[start:end].strip("\"' ") if event.style else event.value, start
                continue
            _scalar(page, top, event, start, end)
            top.key = None
    _merge(page, merges)
    _profiles(page)


def _merge(page: Page, merges: list[tuple[int, int, int]]) -> None:
    """``<<: *default``: what the other mapping says of the connection, and its TLS options where the mapping has some of its own."""
    held: dict[int, list[Entry]] = defaultdict(list)
    for entry in page.entries:
        held[entry.block].append(entry)
    for into, source, at in merges[:MAX_MERGES]:
        own = {e.name: _names.role(e.name) for e in held[into]}
        theirs = [e for e in held[source] if e.name not in own]
        speaks = any(role in TLS for role in own.values())
        if not speaks and any(_names.role(e.name) in TLS for e in theirs):
            continue  # what is said there is said once
        if len(page.entries) + len(theirs) > MAX_ENTRIES:
            raise Unreadable("too many entries")
        for entry in theirs:
            if _names.role(entry.name):
                copy = replace(entry, block=into, key_start=at)
                page.entries.append(copy)
                held[into].append(copy)


def _profiles(page: Page) -> None:
    """A document that holds for one profile of Spring's, or for one namespace of Kubernetes, is called by its name."""
    for entry in page.entries:
        namespace = entry.name == "namespace" and page.blocks[entry.block].label == "metadata"
        if not (namespace or entry.name in PROFILES) or not entry.value:
            continue
        block = entry.block
        while page.blocks[block].parent > 0:
            block = page.blocks[block].parent
        if block > 0 and not page.blocks[block].label:
            page.blocks[block].label = entry.value[:60]


def _scalar(page: Page, frame: _Frame, event: yaml.ScalarEvent, start: int, end: int) -> None:
    original, block = page.text.text, frame.block
    name = (frame.key or "") if frame.is_mapping else ""
    key_at = frame.key_at if frame.is_mapping else start
    if event.style in ("|", ">"):
        _literal(page, name, event.value, start, end, key_at, block)
        return
    if event.style in ("'", '"'):
        start, end = start + 1, end - 1
    raw = original[start:end].rstrip()
    value = raw if not look(raw).plain else event.value
    if not name:
        item = _ITEM.match(value) if raw == value else None
        if item:
            name, value, start = item[1], item[2], start + item.start(2)
            page.blocks[block].kind = "environment"
    elif event.tag in ("!Ref", "!GetAtt", "!ImportValue") or (event.tag or "").startswith("!vault"):
        page.add(name, value, start, end, key_at, block, plain=False, refers=(value,))
        return
    elif event.tag == "!Sub":
        value = raw
    if (path := path_of(value)) is not None:
        page.add(name, path, start, end, key_at, block).exact = False
        return
    if value == raw and value[:2] in ('{"', "{ ") and page.text.whole is None and name:
        read_braces(page, hash_comments=False, start=start, end=start + len(raw), block=page.block(name, block, start=start))
        return
    seen = look(value)
    page.add(
        name,
        value,
        start,
        start + len(raw) if value == raw else end,
        key_at,
        block,
        plain=seen.plain,
        refers=seen.refers,
        default=seen.default,
    )


def _literal(page: Page, name: str, value: str, start: int, end: int, key_at: int, block: int) -> None:
    """A block scalar: a file of its own when its key is a file's name, else perhaps a script."""
    original = page.text.text
    first = original.find("\n", start) + 1
    spans, at = [], first
    rows = []
    while 0 < at < end:
        stop = original.find("\n", at)
        stop = len(original) if stop < 0 else stop + 1
        rows.append((at, min(stop, end) if min(stop, end) > at else stop))
        at = stop
    margins = [len(original[a:b]) - len(original[a:b].lstrip(" ")) for a, b in rows if original[a:b].strip()]
    margin = min(margins, default=0)
    for a, b in rows:
        spans.append((min(a + margin, b), b))
    seen = look(value)
    page.add(name, value, first, end, key_at, block, plain=seen.plain, refers=seen.refers)
    if not spans or "-----BEGIN" in value[:200]:
        return
    folded = page.text.inside(page.text.path + "/" + name, spans)
    if _FILE_KEY.match(name) or name in _PROGRAMS:
        from . import reader_for

        reader = reader_for(_PROGRAMS.get(name, folded.path))
        if reader is not None and page.text.whole is None:
            _adopt(page, reader.read(folded), block, name)
            return
    if _MAPPING.match(folded.text) and page.text.whole is None:
        inner = Page(folded)
        try:
            _events(inner, _cover(folded.text))
        except (yaml.YAMLError, ValueError, IndexError):
            inner = Page(folded)
        _shapes.settle(inner)
        if inner.entries:
            _adopt(page, inner, block, name)
            return
    for offset, command in joined(folded.text):
        page.commands.append((folded.at(offset), command))


def _adopt(page: Page, inner: Page, block: int, name: str) -> None:
    """Take over what stands in a file inside this one."""
    base = len(page.blocks)
    for one in inner.blocks:
        parent = base + one.parent if one.parent >= 0 else block
        page.blocks.append(Block(base + one.index, parent, one.label or name, one.kind, one.start, one.end))
    for entry in inner.entries:
        entry.block += base
        page.entries.append(entry)
    page.commands.extend(inner.commands)


def _by_lines(page: Page) -> None:
    """A file that is no YAML: names and values by indentation, good enough to say what is written where."""
    stack: list[tuple[int, int]] = [(-1, 0)]
    at = 0
    for line in page.text.text.splitlines(keepends=True):
        match = _LINE.match(line.rstrip("\r\n"))
        if match:
            indent = len(match[1])
            while len(stack) > 1 and stack[-1][0] >= indent:
                stack.pop()
            name, raw = match[2].strip("\"'"), match[3]
            if raw is None:
                stack.append((indent, page.block(name, stack[-1][1], start=page.text.at(at))))
            else:
                value = re.sub(r"\s+#.*$", "", raw).strip()
                lead = 1 if value[:1] in "\"'" and value[-1:] == value[:1] and len(value) > 1 else 0
                shown = value[lead : len(value) - lead]
                start = at + match.start(3) + lead
                seen = look(shown)
                page.add(
                    name,
                    shown,
                    start,
                    start + len(shown),
                    at + match.start(2),
                    stack[-1][1],
                    plain=seen.plain,
                    refers=seen.refers,
                    default=seen.default,
                )
        else:
            item = re.match(r"^[ \t]*-[ \t]+[\"']?([A-Za-z_]\w*)=([^\n\"']*)", line)
            if item:
                _entry_item(page, item, at, stack[-1][1])
        at += len(line)


def _entry_item(page: Page, item: re.Match[str], at: int, block: int) -> Entry:
    seen = look(item[2])
    return page.add(
        item[1],
        item[2],
        at + item.start(2),
        at + item.end(2),
        at + item.start(1),
        block,
        plain=seen.plain,
        refers=seen.refers,
        default=seen.default,
    )


READER = Reader("YAML", claims, read)
