"""What one report file must say, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Document:
    """One result, ready to be shown: plain JSON values for machines, and how a person reads it.

    ``name`` and the number make the schema ``reroot/<name>/<number>``. ``text`` is only called when a text is wanted, and
    ``content``, where it is a function, only when the values are.
    """

    name: str
    content: Mapping[str, object] | Callable[[], Mapping[str, object]]
    text: Callable[[], str]
    number: int = field(default=1)

    @property
    def data(self) -> Mapping[str, object]:
        return self.content() if callable(self.content) else self.content

    @property
    def schema(self) -> str:
        return f"reroot/{self.name}/{self.number}"


@dataclass(frozen=True)
class Report:
    """A format. ``documents`` names the documents it can render; None stands for all."""

    title: str
    render: Callable[[Document], str]
    documents: frozenset[str] | None = None
