"""What the engine raises; every text is one line for a person.

Exception
└── EngineError
    ├── DatabaseError             the database cannot be opened, or failed in use
    │   └── DatabaseBusyError     it is locked by another process, or full: worth another try
    ├── OverloadedError           more work waits than is taken on: worth another try in a moment
    ├── FormError                 a request as a whole has not the form of the contract
    │   └── BrokenJsonError       it is no JSON at all
    ├── WrongInstanceError        a batch with an event of another instance than the key's
    ├── CellsFileError            a file of somebody else's cells that is not to be used
    └── AccountError              an administrator asked for what cannot be
        ├── UnknownInstanceError  there is no such instance
        └── UnknownKeyError       the instance has no such key
"""

from __future__ import annotations

__all__ = [
    "AccountError",
    "BrokenJsonError",
    "CellsFileError",
    "DatabaseBusyError",
    "DatabaseError",
    "EngineError",
    "FormError",
    "OverloadedError",
    "UnknownInstanceError",
    "UnknownKeyError",
    "WrongInstanceError",
]


class EngineError(Exception):
    """Anything that the engine reports."""


class DatabaseError(EngineError):
    """The database cannot be opened, or failed in use."""


class DatabaseBusyError(DatabaseError):
    """The database cannot be written at the moment: locked for long, or its disk is full."""


class OverloadedError(EngineError):
    """More work waits already than is taken on; what was refused is to be sent again in a moment."""


class FormError(EngineError):
    """A request that, as a whole, has not the form of the contract."""


class BrokenJsonError(FormError):
    """A request that is no JSON."""


class WrongInstanceError(EngineError):
    """A batch with an event that names another instance than the one the API key belongs to."""


class CellsFileError(EngineError):
    """A file of somebody else's cells that is damaged, is none, is of a newer version, or is not signed by whom one trusts."""


class AccountError(EngineError):
    """An administrator asked for what cannot be."""


class UnknownInstanceError(AccountError):
    """There is no instance of this id."""


class UnknownKeyError(AccountError):
    """The instance has no key of this number."""
