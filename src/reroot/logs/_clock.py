"""
A line's own time → UTC. A log says its zone by an abbreviation, and an abbreviation can mean several zones.

``UTC``, ``GMT``, ``Z`` and offsets are taken as they are; for others the zone must be given, because guessing it would move evidence
by hours. A syslog without years gets the year of *newest*, the latest moment that the lines may come from.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from ..errors import InputError

SHAPE = "%Y-%m-%dT%H:%M:%S"
_OFFSET = r"<?([+-])(\d{2}):?(\d{2})?>?"


class Clock(NamedTuple):
    """``zone`` is what abbreviations mean; ``newest`` dates lines that tell no year."""

    zone: tzinfo | None = None
    newest: datetime | None = None

    def utc(self, time: bytes, zone: bytes) -> str:
        """``2026-11-23T10:15:00`` for a time as it stands in a line; ``InputError`` when its zone is not known."""
        text = time.decode("ascii")
        if text.isdigit():
            return datetime.fromtimestamp(int(text), UTC).strftime(SHAPE)
        moment = self._dated(text) if text[:1].isalpha() else datetime.fromisoformat(text)
        return moment.replace(tzinfo=self._zone(zone.decode("ascii"))).astimezone(UTC).strftime(SHAPE)

    def _zone(self, name: str) -> tzinfo:
        if name in ("UTC", "GMT", "Z"):
            return UTC
        offset = re.fullmatch(_OFFSET, name)
        if offset is not None:
            minutes = int(offset[2]) * 60 + int(offset[3] or 0)
            return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
        if self.zone is None:
            what = f"`{name}` can mean several time zones" if name else "the lines tell no time zone"
            raise InputError(what, hint="name the server's: `--timezone Europe/Berlin`")
        return self.zone

    def _dated(self, text: str) -> datetime:
        if self.newest is None:
            raise InputError("the lines tell no year", hint="say from which year they are: `--until 2026-12-31`")
        newest = self.newest.replace(tzinfo=None) + timedelta(days=1)
        for year in (newest.year, newest.year - 1):
            try:
                moment = datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S")
            except ValueError:
                continue
            if moment <= newest:
                return moment
        raise InputError(f"`{text}` is no date of the last year")


NO_ZONE = Clock()


def hour_of(time: bytes) -> bytes:
    """A bound, in the line's own spelling, that every later time of the same hour sorts below."""
    if time.isdigit():
        return b"%d" % ((int(time) // 3600 + 1) * 3600)
    return time[:-6] + b":~"
