"""Somebody else's cells under one's own: an answer begins with what they say, until own events outweigh it."""

from __future__ import annotations

import json
import logging
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from mosaic_telemetry.engine.errors import CellsFileError
from mosaic_telemetry.engine.federation.file import Signed, read_file
from mosaic_telemetry.engine.federation.keys import key_of, name_of_key
from mosaic_telemetry.engine.ladders import Dimensions, climb
from mosaic_telemetry.engine.store import Act, Store, StoredCell
from mosaic_telemetry.forecast import NO_DATA, SHOWN_FROM, Cell, CellKey, Constants, Outside, told

__all__ = ["Prior", "Priors"]

_NAME, _DATA = "prior", "prior.data"
_LOOK_SECONDS = 0.5
_logger = logging.getLogger(__name__)


class Prior:
    """What somebody else says.

    Args:
        signed: the file.
    """

    def __init__(self, signed: Signed) -> None:
        self._public = signed.published.public
        self._rows = {row.key: row for row in signed.published.cells}
        self._updated_ms = signed.published.updated_ms
        self.source = signed.published.source

    def ask(self, asked: Sequence[Dimensions], constants: Constants) -> list[tuple[Outside, int] | None]:
        """Their answer on each of these dimensions, and when the newest event behind it was received; None where they have none."""
        # Of which day the question is does not matter: what is recent is not published.
        ladders = climb(asked, self._find, 0, public=self._public)
        found = [ladder for ladder in ladders if ladder.level != NO_DATA]
        answers = iter(told([ladder.question for ladder in found], constants))
        return [None if ladder.level == NO_DATA else (Outside(ladder.level, next(answers)), self._age(ladder.stored[ladder.level])) for ladder in ladders]

    def _find(self, keys: Iterable[CellKey]) -> Mapping[CellKey, StoredCell]:
        rows = {key: self._rows[key] for key in keys if key in self._rows}
        # Ends that may not be shown are those of a crowd that is too small: `publish` takes them from the wider level.
        return {key: StoredCell(Cell.from_bytes(row.cell), row.updated_ms, row.instances if row.ends else SHOWN_FROM) for key, row in rows.items()}

    def _age(self, stored: StoredCell | None) -> int:
        return stored.updated_ms if stored else self._updated_ms


class Priors:
    """The prior of a store, as all processes on it know it: kept in its settings, so that it is in every backup, and on every host.

    Args:
        store: where it is kept.
        clock: seconds that only ever rise.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._looked = -_LOOK_SECONDS
        self._digest = ""
        self._prior: Prior | None = None

    def current(self) -> Prior | None:
        """The prior, as it was at most half a second ago.

        Raises:
            DatabaseError: the store cannot be read.
        """
        now = self._clock()
        if now >= self._looked + _LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._prior

    def trusted(self) -> bytes | None:
        """The key that signed the one that was kept last, also after it was removed; None before the first."""
        kept = self._store.setting(_NAME)
        return key_of(json.loads(kept)["key"]) if kept else None

    def keep(self, data: bytes, signed: Signed, act: Act) -> None:
        """Begin every answer with this file from now on, in the place of another.

        Args:
            data: the file.
            signed: what is in it.
            act: for the audit log.
        """
        self._store.keep_setting(_DATA, b64encode(data).decode(), replace=True).result()
        self._name(sha256(data).hexdigest(), signed.key, act)

    def remove(self, act: Act) -> bool:
        """Answer from own events alone from now on; returns whether there was a prior."""
        trusted = self.trusted()
        if trusted is None or not json.loads(self._store.setting(_NAME) or "{}").get("digest"):
            return False
        self._name("", trusted, act)
        self._store.keep_setting(_DATA, "", replace=True).result()
        return True

    def _name(self, digest: str, key: bytes, act: Act) -> None:
        self._store.keep_setting(_NAME, json.dumps({"digest": digest, "key": name_of_key(key)}), act, replace=True).result()

    def _look(self) -> None:
        kept = self._store.setting(_NAME)
        digest = json.loads(kept)["digest"] if kept else ""
        if digest == self._digest:
            return
        if not digest:
            self._digest, self._prior = "", None
            return
        data = b64decode(self._store.setting(_DATA) or "")
        if sha256(data).hexdigest() != digest:
            return  # another one is being kept at this moment
        self._digest = digest
        try:
            self._prior = Prior(read_file(data))
        except (CellsFileError, ModuleNotFoundError) as error:
            # A newer version on the same store wrote it, or the extra is missing here: own events still answer.
            self._prior = None
            _logger.warning("the imported cells cannot be used: %s", error)
