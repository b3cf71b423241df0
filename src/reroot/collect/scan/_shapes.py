"""Shapes that many formats share: ``{name: X, value: Y}`` is the variable X, and a text in a value may be a file of its own."""

from __future__ import annotations

from collections import defaultdict

from ._reader import Entry, Page

_NAMES = ("name", "parametername", "parameterkey", "key", "path")
_VALUES = ("value", "parametervalue", "defaultvalue")
_TAKEN_FROM = ("valuefrom", "secretkeyref", "configmapkeyref", "secretref", "fieldref")


def settle(page: Page) -> None:
    """Turn pairs of a name and a value into one entry of the block around them."""
    by_block: dict[int, list[Entry]] = defaultdict(list)
    for entry in page.entries:
        by_block[entry.block].append(entry)
    for index, entries in list(by_block.items()):
        if not 1 <= len(entries) <= 6:
            continue
        named = {e.name.lower(): e for e in entries}
        if len(entries) == 1 and "from_env" in named and page.blocks[index].label.lower() == "sslrootcert":  # Hasura's
            taken = named["from_env"]
            held = f"from_env: {taken.value}"
            page.entries.append(Entry("sslrootcert", held, taken.start, taken.end, taken.key_start, index, False, (taken.value,), exact=False))
            continue
        name = next((named[n] for n in _NAMES if n in named), None)
        value = next((named[v] for v in _VALUES if v in named), None)
        if name is None or not name.value or len(name.value) > 120:
            continue
        kind = page.blocks[index]
        if value is None and page.blocks[index].label.lower() == "sslrootcert" and "key" in named and "name" in named:
            held = f"{named['name'].value}/{named['key'].value}"  # a Secret and the key in it
            page.entries.append(Entry("sslRootCert", held, name.start, name.end, name.key_start, index, exact=False))
            continue
        if value is None:
            source = _source(page, index, by_block, named)
            if source is None:
                continue
            page.entries.append(
                Entry(
                    name.value,
                    "",
                    source.start,
                    source.end,
                    name.key_start,
                    _environment(page, kind.parent),
                    False,
                    (source.value,),
                )
            )
            continue
        into = index if kind.kind == "resource" else _environment(page, kind.parent)
        shown = name.value.strip("/").rpartition("/")[2] if "op" in named else name.value
        page.entries.append(
            Entry(
                shown,
                value.value,
                value.start,
                value.end,
                min(name.key_start, value.key_start),
                into,
                value.plain,
                value.refers,
                value.default,
            )
        )
        value.name, value.value, value.exact = "", "", False


def _environment(page: Page, block: int) -> int:
    block = max(block, 0)
    if page.blocks[block].kind == "mapping":
        page.blocks[block].kind = "environment"
    return block


def _source(page: Page, index: int, by_block: dict[int, list[Entry]], named: dict[str, Entry]) -> Entry | None:
    """Where a variable without a value takes it from: the ``key`` of a reference below it, or an ARN beside it."""
    if "valuefrom" in named and named["valuefrom"].value:
        return named["valuefrom"]
    for child in page.blocks[index + 1 : index + 6]:
        if child.label.lower() in _TAKEN_FROM:
            for entry in by_block.get(child.index, ()):
                if entry.name == "key":
                    return entry
    return None
