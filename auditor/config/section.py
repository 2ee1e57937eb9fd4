"""What every section of a configuration shares."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """No unknown keys, no changes after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
