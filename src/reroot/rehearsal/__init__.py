"""
What a rehearsal has shown: acts and reactions in, a conclusion with its reasons out.

An *act* is a chain that a client met on our stage; a *reaction* is what the client did. ``meaning`` says, family of drivers by
family, what a reaction to an act means; ``conclude`` puts the acts of one client together. Nothing is ever concluded that the acts
have not shown: what several causes could have brought about is ``CANNOT_TELL``, with the cause and what to try. Where the stage
itself can see nothing, ``by_own_words`` reads what the program printed; that ranks below what the stage has seen.

Alerts and moments were measured with psql 15 and 17, psycopg 2 and 3, psqlODBC, PDO, ruby-pg, DBD::Pg, pg8000, psqlpy, asyncpg
(asyncio and uvloop), pgJDBC 42.2.8 to 42.7.13 on Java 17, lib/pq 1.10 and 1.12, pgx 4, node-postgres 8 and postgres.js 3.
"""

from __future__ import annotations

from ._acts import ABOUT_CERTIFICATES, ALERTS, PROMPT, Act, Ending, Proof, Reaction
from ._conclusion import OWN_WORDS, SOURCE, Conclusion, HostName, Trust, conclude, contradiction
from ._evidence import Shown, outranks, shown
from ._meaning import Family, Meaning, meaning
from ._words import by_own_words

__all__ = [
    "ABOUT_CERTIFICATES", "ALERTS", "OWN_WORDS", "PROMPT", "SOURCE", "Act", "Conclusion", "Ending", "Family", "HostName", "Meaning",
    "Proof", "Reaction", "Shown", "Trust", "by_own_words", "conclude", "contradiction", "meaning", "outranks", "shown",
]  # fmt: skip
