"""Settings of frameworks as flat names (`spring.datasource.url`), however they were nested where they were found."""

from __future__ import annotations

from collections.abc import Mapping


def flat(options: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested mappings joined by dots; values that are none stay as they are."""
    found: dict[str, object] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            found |= flat({str(n): v for n, v in value.items()}, f"{prefix}{name}.")
        elif value is not None:
            found[f"{prefix}{name}"] = value
    return found


def under(options: Mapping[str, object], *prefixes: str) -> dict[str, object]:
    """The names below each of *prefixes*, without it; the first prefix wins."""
    found: dict[str, object] = {}
    for prefix in prefixes:
        for name, value in options.items():
            if name.startswith(prefix):
                found.setdefault(name.removeprefix(prefix).strip("[]\"'"), value)
    return found
