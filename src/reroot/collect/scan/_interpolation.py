"""Which part of a value is written, and which is filled in later by an environment, a template or a vault.

Drivers expand none of these forms, so a value that holds one is not what is written: its variables are named, a default is
kept, and nobody guesses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORMS = (
    r"\$\{\{(?P<github>[^{}]{0,200})\}\}",
    r"\$\{\?(?P<hocon>[\w.\-]{1,100})\}",
    r"\$\{(?P<shell>[\w.\-\[\]\"']{1,100}?)(?:(?P<operator>:?[-=+?]|:)(?P<default>[^{}]{0,300}))?\}",
    r"\$\{(?P<expression>[^{}]{0,300})\}",
    r"\$\((?P<kubernetes>[A-Za-z_]\w{0,100})\)",
    r"\$(?P<bare>[A-Za-z_]\w{0,100})",
    r"\{\{(?P<template>[^{}]{0,300})\}\}",
    r"<%=?(?P<erb>[^%]{0,300})%>",
    r"#\{(?P<ruby>[^{}]{0,200})\}",
    r"%(?P<windows>[A-Za-z_]\w{2,100})%",
    r"\bENC\((?P<jasypt>[^()]{0,400})\)",
    r"\b(?:env|var|local|module|data)\.(?P<terraform>[A-Za-z_][\w.\[\]\"]{0,100})",
)
FORM = re.compile("|".join(_FORMS[:-1]))
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_ENVIRONMENT = re.compile(
    r"""(?:ENV\.fetch\(|ENV\[|env\(|environ\[|getenv\(|process\.env\.|process\.env\[|env\.|secrets\.|vars\.|lookup\(['"]env['"],)\s*['"]?(\w+)"""
)
_ELSE = re.compile(r"""(?:default\(|default\s|\|\||,)\s*['"]([^'"]*)['"]""")


@dataclass(frozen=True, slots=True)
class Interpolation:
    """What a text takes from elsewhere. ``default`` is set when the whole text is one form that has one."""

    refers: tuple[str, ...] = ()
    default: str | None = None

    @property
    def plain(self) -> bool:
        return not self.refers


PLAIN = Interpolation()


_RAILS_PATH = re.compile(r"""<%=\s*(?:Rails\.root|Pathname\.pwd)\.join\(((?:\s*["'][\w./\-]+["']\s*,)*\s*["'][\w./\-]+["']\s*)\)(?:\.to_s)?\s*-?%>""")


def path_of(text: str) -> str | None:
    """The path below the project that ``<%= Rails.root.join("config", "db.pem") %>`` stands for; None for anything else."""
    match = _RAILS_PATH.fullmatch(text.strip())
    return "/".join(re.findall(r"[\w./\-]+", match[1])) if match else None


def look(text: str) -> Interpolation:
    """The variables that *text* takes, innermost names last component first seen."""
    if not text or not any(c in text for c in "$%{<#("):
        return PLAIN
    names: list[str] = []
    default: str | None = None
    for match in FORM.finditer(text):
        kind = match.lastgroup or ""
        groups = match.groupdict()
        body = next((groups[k] for k in groups if groups[k] is not None and k not in ("operator", "default")), "")
        name, fallback = _names(body)
        if groups["operator"] in (":-", "-", ":", ":=", "=") and groups["default"] is not None:
            fallback = groups["default"]
        names.append(name or kind)
        if match.start() == 0 and match.end() == len(text.strip()):
            default = fallback
    return Interpolation(tuple(dict.fromkeys(names)), default) if names else PLAIN


def _names(body: str) -> tuple[str, str | None]:
    """The variable that an expression takes, and its default."""
    found = _ENVIRONMENT.search(body)
    fallback = _ELSE.search(body)
    if found:
        return found[1], fallback[1] if fallback else None
    if "Values." in body:
        return body[body.index("Values.") + 7 :].split()[0].strip("|)}\"'"), fallback[1] if fallback else None
    words = _NAME.findall(body)
    return (words[0].strip(".") if words else ""), fallback[1] if fallback else None
