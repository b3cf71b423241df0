"""
Python's ``ssl.SSLContext``: made in one statement, changed in the next, handed to the driver in a third.

What these statements say is put where the context is handed over, so that it is one setting of one connection.
"""

from __future__ import annotations

from collections import defaultdict

from ._reader import Block, Entry, Page

MAKERS = ("create_default_context", "SSLContext", "_create_unverified_context")
TAKES = frozenset({"ssl", "ssl_context"})
TELLS = frozenset({"cafile", "cadata", "check_hostname", "verify_mode"})


def hand_over(page: Page) -> None:
    """Give each connection what is said of the context that it takes."""
    if page.language != "python":
        return
    takers = [e for e in page.entries if e.name in TAKES and not e.plain and len(e.refers) == 1 and page.blocks[e.block].kind == "call"]
    makers = {block.parent: block for block in page.blocks if _is_maker(block)}
    made = {(block.label, block.parent): block for block in page.blocks if block.index in makers}
    if not takers or not made:
        return
    told: dict[int, list[Entry]] = defaultdict(list)
    for entry in page.entries:
        if entry.name in TELLS:
            told[entry.block].append(entry)
    for entry in takers:
        scope = _scope(page, entry.block)
        context = made.get((entry.refers[0], scope))
        if context is None:
            continue
        maker = makers[context.index]
        entry.written, entry.value, entry.plain, entry.refers = entry.value, maker.label.rpartition(".")[2], True, ()
        after = [e for e in told.pop(scope, ()) if context.start <= e.key_start <= entry.key_start]
        for other in (*told.pop(context.index, ()), *told.pop(maker.index, ()), *after):
            other.block = entry.block


def _is_maker(block: Block) -> bool:
    return block.kind == "call" and block.label.rpartition(".")[2] in MAKERS


def _scope(page: Page, block: int) -> int:
    while block > 0 and page.blocks[block].kind != "mapping":
        block = page.blocks[block].parent
    return max(block, 0)
