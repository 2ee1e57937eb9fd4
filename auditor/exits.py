"""What a verdict amounts to for the shell: `auditor audit`, the gate, and the web API."""

from enum import StrEnum


class FailOn(StrEnum):
    """Which verdicts make the exit code non-zero."""

    BLOCK = "block"
    REVIEW = "review"
    NEVER = "never"


def exit_code(verdict: str, fail_on: FailOn = FailOn.BLOCK) -> int:
    """Exit code of a verdict; INCOMPLETE is never green.

    Examples
    --------
    >>> exit_code("REVIEW"), exit_code("REVIEW", FailOn.REVIEW), exit_code("BLOCK")
    (0, 4, 1)
    """
    if verdict == "INCOMPLETE":
        return 3
    if verdict == "BLOCK":
        return 0 if fail_on is FailOn.NEVER else 1
    return 4 if verdict == "REVIEW" and fail_on is FailOn.REVIEW else 0
