"""
Python's ``ssl.SSLContext``: made in one statement, changed in the next, handed to the driver in a third.

What these statements say is put where the context is handed over, so that it is one setting of one connection.
"""

from __future__ import annotations

from ._reader import Block, Entry, Page

MAKERS = ("create_default_context", "SSLContext", "_create_unverified_context")
TAKES = frozenset({"ssl", "ssl_context"})
TELLS = frozenset({"cafile", "cadata", "check_hostname", "verify_mode"})


def hand_over(page: Page) -> None:
    """Give each connection what is said of the context that it takes."""
    if page.language != "python":
        return
    for entry in page.entries:
        if entry.name not in TAKES or entry.plain or len(entry.refers) != 1 or page.blocks[entry.block].kind != "call":
            continue
        scope = _scope(page, entry.block)
        made = _made(page, entry.refers[0], scope)
        if made is None:
            continue
        inside = {made.index, *(b.index for b in page.blocks if b.parent == made.index)}
        maker = next((b.label.rpartition(".")[2] for b in page.blocks if b.index in inside and _is_maker(b)), "")
        entry.written, entry.value, entry.plain, entry.refers = entry.value, maker, True, ()
        for other in page.entries:
            if other.name in TELLS and (other.block in inside or (other.block == scope and _after(page, made, other, entry))):
                other.block = entry.block


def _made(page: Page, name: str, scope: int) -> Block | None:
    """The block of ``name = ssl.create_default_context(…)`` in the same function."""
    return next(
        (
            block
            for block in reversed(page.blocks)
            if block.label == name
            and block.parent == scope
            and any(b.parent == block.index and _is_maker(b) for b in page.blocks)
        ),
        None,
    )


def _is_maker(block: Block) -> bool:
    return block.kind == "call" and block.label.rpartition(".")[2] in MAKERS


def _scope(page: Page, block: int) -> int:
    while block > 0 and page.blocks[block].kind != "mapping":
        block = page.blocks[block].parent
    return max(block, 0)


def _after(page: Page, made: Block, one: Entry, taken: Entry) -> bool:
    return made.start <= one.key_start <= taken.key_start
