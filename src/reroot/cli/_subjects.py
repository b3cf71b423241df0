"""What `explain` can be asked about besides a connection string: a rule, a client of the inventory, a file."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ._next import then

if TYPE_CHECKING:
    from ..model import Judgement
    from ..reports import Document
    from ..rules import Rule

RULE = re.compile(r"RR\d{3}")


def rule(subject: str) -> Rule | None:
    """The rule of a number (``RR104``) or a name (``silent-plaintext-fallback``); None when it is neither."""
    from ..rules import BY_NAME, RULES

    if RULE.fullmatch(subject.upper()):
        found = RULES.get(subject.upper())
        if found is None:
            raise InputError(f"there is no rule `{subject}`", hint=f"there are {len(RULES)}, from {min(RULES)} to {max(RULES)}")
        return found
    return BY_NAME.get(subject)


def client(
    name: str, server: str | None, inventory_path: Path, now: datetime, ledger: str | None = None
) -> tuple[Document, bool] | None:
    """A client of the inventory, with every server it reaches, and whether all is well; None when there is no such client."""
    if not inventory_path.exists():
        return None
    from ..app.survey import look
    from ..collect.inventory import read
    from ..reports import Document
    from ..reports._answer import reason_values
    from ._rotation import rehearsals

    inventory = read(inventory_path)
    if name not in {c.name for c in inventory.clients}:
        return None
    sight = look(inventory, now, rehearsed=rehearsals(inventory, ledger))
    judged = [j for j in sight.plan.judgements if j.client == name and server in (None, j.server)]
    if not judged:
        raise InputError(f"`{name}` does not reach `{server}`", where=str(inventory_path))
    values: dict[str, object] = {
        "client": name,
        "judgements": [
            {
                "server": j.server,
                "verdict": j.verdict.value,
                "now": j.now.outcome.value,
                "then": j.then.outcome.value,
                "reasons": [reason_values(r) for r in (*j.reasons,)],
            }
            for j in judged
        ],
    }
    from ..plan import PASSES

    return Document("client", values, lambda: _client_text(name, judged)), all(j.verdict in PASSES for j in judged)


def refuse_word(subject: str, inventory_path: Path) -> None:
    """``InputError`` for a word that is neither a rule, a client, a file nor a connection string: a slip of the keyboard, or of the
    folder."""
    if "=" in subject or not re.fullmatch(r"[^\s:]+", subject):
        return
    if Path(subject).is_dir():
        raise InputError(f"`{subject}` is a folder", hint=f"`reroot scan {subject}` looks at every file in it")
    if not inventory_path.exists():
        hint = f"clients are declared in `{inventory_path}`, which is not here: name it with `-i`"
    else:
        from difflib import get_close_matches

        from ..collect.inventory import read
        from ..rules import BY_NAME

        clients = [c.name for c in read(inventory_path).clients]
        near = get_close_matches(subject, [*clients, *BY_NAME], n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"clients are {', '.join(f'`{c}`' for c in clients[:10]) or 'not declared'}"
    raise InputError(f"`{subject}` is no connection string, rule, file or client", hint=hint)


def _client_text(name: str, judged: list[Judgement]) -> str:
    from ..reports.text import MARKS, counted

    lines = []
    for one in judged:
        lines.append(f"{name} → {one.server}: {MARKS[one.verdict.value]} {one.verdict.value}")
        lines.append(f"  now {one.now.outcome.value}, then {one.then.outcome.value}")
        for reason in dict.fromkeys((*one.then.reasons, *one.reasons, *one.now.reasons)):
            lines.append(f"  {reason.code}: {reason.text}")
            if reason.source:
                lines.append(f"    source: {reason.source}")
    return "\n".join([*lines, "", f"{counted(len(judged), 'server')}; next: {then('plan')} shows every client"])


def file(path: str) -> tuple[Document, bool]:
    """A settings file or a trust store: what stands there, and the page of every rule it meets; whether nothing breaks."""
    from ..collect.scan._document import document as scan_document
    from ..collect.scan._scan import scan
    from ..reports import Document
    from ..reports._rulepage import text
    from ..rules import RULES

    found = scan((path,), gitignore=False)
    if found.incomplete and not found.findings:
        raise InputError(found.incomplete[0].why, where=path)
    base = scan_document(found, (path,))
    met = sorted({f.rule for f in found.findings})

    def page() -> str:
        return "\n\n".join([base.text().rstrip(), *(text(RULES[r]) for r in met if r in RULES)])

    return Document(base.name, base.data, page), not any(f.level == "error" for f in found.findings)
