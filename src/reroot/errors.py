"""
Every error reroot raises.

    RerootError              message · where · hint                    exit
    ├── InputError           what was given cannot be used                2
    │   ├── SettingsError    a setting cannot be parsed
    │   └── TrustStoreError  a trust store cannot be opened
    ├── GateClosed           the rotation may not go on                   3
    ├── ReachError           a host could not be reached or spoken to     4
    └── ProviderError        a change to a server failed, was undone      5
        └── RollbackFailed   … and could not be undone: call a person     6

A verdict of BREAKS is a finding, not an error: findings are returned, and the command exits with 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .model import Judgement


class RerootError(Exception):
    """Base class, never raised itself. *where* names a place, *hint* the next move."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class InputError(RerootError):
    """What was given cannot be used."""


class SettingsError(InputError):
    """A connection setting cannot be parsed, or its driver would refuse it."""


class TrustStoreError(InputError):
    """A trust store cannot be opened, or a change to it was refused; the file is as it was."""


class GateClosed(RerootError):
    """The rotation may not go on; *judgements* are what holds the gate."""

    exit_code = 3

    def __init__(self, message: str, *, where: str = "", hint: str = "", judgements: Sequence[Judgement] = ()) -> None:
        super().__init__(message, where=where, hint=hint)
        self.judgements = tuple(judgements)


class ReachError(RerootError):
    """A host could not be reached or spoken to."""

    exit_code = 4


class ProviderError(RerootError):
    """A change to a server failed at *step*; *undone* says what was put back."""

    exit_code = 5

    def __init__(self, message: str, *, where: str = "", hint: str = "", step: str = "", undone: Sequence[str] = ()) -> None:
        super().__init__(message, where=where, hint=hint)
        self.step = step
        self.undone = tuple(undone)


class RollbackFailed(ProviderError):
    """A change failed and could not be undone."""

    exit_code = 6
