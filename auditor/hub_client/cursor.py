"""What a look at the Hub leaves for the next one, as a text."""

from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditor.records import Change, Seen, Trouble

Epoch = Annotated[float, Field(allow_inf_nan=False)]  # seconds since 1970


class Cursor(BaseModel):
    """How far the watching of some repositories has come; changed while a look is under way."""

    model_config = ConfigDict(extra="forbid")

    settings: str  # of the source: with others, everything is looked at again
    reconciled: Epoch = 0.0  # when everything was compared last, from its first page to its last
    newest: dict[str, Epoch] = {}  # author -> when one of its repositories changed last
    heads: dict[str, str] = {}  # repository@branch -> where it stood, unless what is known says it
    unfit: dict[str, str] = {}  # repository@branch -> a commit that is no version to be audited
    again: dict[str, Epoch] = {}  # repositories to be looked at next time -> since when
    troubled: set[str] = set()  # names of which something is said to be wrong

    @property
    def text(self) -> str:
        """The whole of it."""
        return self.model_dump_json()

    def tell(self, change: Change) -> None:
        """Keep which troubles are told, so that none is left of what nobody looks at."""
        if isinstance(change, Trouble) and change.reason:
            self.troubled.add(change.model)
        elif isinstance(change, Trouble):
            self.troubled.discard(change.model)
        elif isinstance(change, Seen):
            self.troubled.discard(change.version.id.model)


def read(text: str | None, settings: object) -> Cursor:
    """The cursor that a text holds; of one written for other settings only what was told."""
    mark = sha256(repr(settings).encode()).hexdigest()[:16]
    try:
        found = Cursor.model_validate_json(text or "")
    except ValidationError:
        return Cursor(settings=mark)
    return found if found.settings == mark else Cursor(settings=mark, troubled=found.troubled)
