"""JSON: the document with its schema, keys in the order they were given, one line end at the end."""

from __future__ import annotations

import msgspec

from ._report import Document, Report


def render(document: Document) -> str:
    """``{"schema": "reroot/<name>/<number>", …}``, indented by two."""
    body = {"schema": document.schema, **document.data}
    return msgspec.json.format(msgspec.json.encode(body, enc_hook=str), indent=2).decode() + "\n"


REPORT = Report(title="JSON with its schema", render=render)
