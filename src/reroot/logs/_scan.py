"""
Blocks of log → a rollup. The literals first, a pattern only on what they find, parsing only once for equal lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._addressed import Addressed
from ._by_process import ByProcess
from ._layout import Layout, layout

if TYPE_CHECKING:
    from ._rollup import Rollup
    from ._scanner import Find, Scanner

PLAIN: tuple[Find, Find] = (bytes.find, bytes.rfind)
"""How literals are found, forwards and backwards, or faster functions of the same meaning: block, literal, begin, end → position or -1."""


def scanner(how: Layout, server: str = "", finders: tuple[Find, Find] = PLAIN, *, arrivals: bool = True) -> Scanner:
    """What sums the blocks of one stretch of *server*'s log, written in the layout *how*.

    *arrivals* says whether ``connection received`` is counted too, without which nobody who left without a word is seen.
    """
    return (ByProcess if how.by_process else Addressed)(how, server, finders, arrivals=arrivals)


def rollup(chunk: bytes, how: Layout | str, server: str = "") -> Rollup:
    """The sum of *chunk*, whole lines of one server's log written in the layout *how*."""
    one = scanner(how if isinstance(how, Layout) else layout(how), server)
    one.feed(chunk if chunk.endswith(b"\n") or not chunk else chunk + b"\n")
    return one.finish()
