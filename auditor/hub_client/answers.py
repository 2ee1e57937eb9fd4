"""The forms that answers of the Hub have; one of another form is told in a sentence."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from auditor.errors import SourceError

T = TypeVar("T")

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$"  # steps out of no path
RepoName = Annotated[str, Field(max_length=200, pattern=NAME)]
Sha1 = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, lt=1 << 62, strict=True)]


class Answer(BaseModel):
    """A part of an answer; what else it says is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def parsed(kind: TypeAdapter[T], answer: object, subject: str, endpoint: str) -> T:
    """An answer, held against the form it has to have.

    Parameters
    ----------
    subject
        What was asked for, as the beginning of a sentence.

    Raises
    ------
    SourceError
        If it has another one.
    """
    try:
        return kind.validate_python(answer)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(key)[:40] for key in first["loc"])
        raise SourceError(
            f"{subject}: {endpoint} answered in another form than the Hub's: "
            f"{where}: {first['msg'][:200]}"
        ) from error
