"""
What is made in one statement, changed in the next and handed to the driver in a third: Python's ``ssl.SSLContext``, Go's ``CertPool``.

What these statements say is put where the context is handed over, so that it is one setting of one connection.
"""

from __future__ import annotations

import re
from collections import defaultdict

from ._reader import Block, Entry, Page
from ._values import ENV

MAKERS = ("create_default_context", "SSLContext", "_create_unverified_context")
PATH = re.compile(r"\.(?:pem|crt|cer)$")
TAKES = frozenset({"ssl", "ssl_context"})
TELLS = frozenset({"cafile", "cadata", "check_hostname", "verify_mode"})


def hand_over(page: Page) -> None:
    """Give each connection what is said of the context that it takes."""
    if page.language == "go":
        _pools(page)
    if page.language == "python":
        _contexts(page)
        page.entries = [e for e in page.entries if not _is_nobodys(page, e)]


def _contexts(page: Page) -> None:
    """Python's: what is said of a context is put where it is taken."""
    takers = [e for e in page.entries if e.name in TAKES and not e.plain and len(e.refers) == 1 and _is_taken(page.blocks[e.block])]
    makers = {block.parent: block for block in page.blocks if _is_maker(block)}
    made = {(block.label, block.parent): block for block in page.blocks if block.index in makers}
    if not takers or not made:
        return
    told: dict[int, list[Entry]] = defaultdict(list)
    for entry in page.entries:
        if entry.name in TELLS:
            told[entry.block].append(entry)
    for entry in takers:
        scope = scope_of(page, entry.block)
        context = made.get((entry.refers[0], scope))
        if context is None:
            continue
        maker = makers[context.index]
        if _is_lax(page, maker) and not {"verify_mode", "check_hostname"} <= {e.name for e in told.get(scope, ())}:
            continue  # what such a context checks by itself depends on its protocol
        entry.written, entry.value, entry.plain, entry.refers = entry.value, maker.label.rpartition(".")[2], True, ()
        after = [e for e in told.pop(scope, ()) if context.start <= e.key_start <= entry.key_start]
        for other in (*told.pop(context.index, ()), *told.pop(maker.index, ()), *after):
            other.block = entry.block


def _is_nobodys(page: Page, entry: Entry) -> bool:
    """Said of a context that no driver here takes: that it verifies, or with roots which the text does not name."""
    if page.blocks[entry.block].kind not in ("mapping", "file"):
        return False
    if entry.name == "check_hostname":
        return entry.value == "true"
    if entry.name == "verify_mode":
        return entry.value in ("CERT_REQUIRED", "CERT_OPTIONAL")
    return entry.name == "cafile" and not entry.plain and not ENV.search(entry.value)


def _pools(page: Page) -> None:
    """Go's ``RootCAs: pool``: the file that the same function reads for the pool, where it reads one alone."""
    filled = {(scope_of(page, b.index), b.label.partition(".")[0]) for b in page.blocks if b.label.endswith(".AppendCertsFromPEM")}
    for entry in page.entries:
        if entry.name != "RootCAs" or len(entry.refers) != 1:
            continue
        scope = scope_of(page, entry.block)
        read = [e for e in page.entries if e.block == scope and e.plain and PATH.search(e.value)]
        if (scope, entry.refers[0]) in filled and len(read) == 1:
            entry.written, entry.value, entry.exact = entry.value, read[0].value, False


def _is_taken(block: Block) -> bool:
    """A call of the driver, or what SQLAlchemy hands on to it."""
    return block.kind == "call" or block.label == "connect_args"


def _is_maker(block: Block) -> bool:
    return block.kind == "call" and block.label.rpartition(".")[2] in MAKERS


def _is_lax(page: Page, maker: Block) -> bool:
    """A bare ``SSLContext`` checks only as a client's: ``PROTOCOL_TLS_CLIENT``."""
    made = page.text.text[maker.start : maker.start + 200].partition(")")[0]
    return maker.label.rpartition(".")[2] == "SSLContext" and "PROTOCOL_TLS_CLIENT" not in made


def scope_of(page: Page, block: int) -> int:
    while block > 0 and page.blocks[block].kind != "mapping":
        block = page.blocks[block].parent
    return max(block, 0)
