"""What verdicts, severities, origins and symptoms are called, and what they mean."""

from dataclasses import dataclass

GREEN = (
    "A green result means no known weight-space symptom, not a good model: run your evaluations too"
)


@dataclass(frozen=True, slots=True)
class Badge:
    """A glyph and words, so that nothing is said by colour alone."""

    glyph: str
    words: str
    tone: str  # a CSS class: bad, warn, good, open, info


VERDICTS = {
    "BLOCK": Badge("✖", "Do not ship", "bad"),
    "REVIEW": Badge("▲", "Review needed", "warn"),
    "PASS": Badge("●", "No known symptom", "good"),
    "INCOMPLETE": Badge("◌", "Not fully checked", "open"),
}
SEVERITIES = {
    "critical": Badge("✖", "critical", "bad"),
    "warning": Badge("▲", "warning", "warn"),
    "info": Badge("○", "information", "info"),
}
PASSED = Badge("●", "passed", "good")
NOT_LOOKED_FOR = Badge("○", "not looked for", "info")  # the analysis leaves its column out
FAILED = {
    "error": Badge("✖", "failed", "bad"),
    "warn": Badge("▲", "needs review", "warn"),
    "off": Badge("○", "not gated", "info"),
}
ORIGINS = {
    "new": "new",
    "open": "carried over",
    "accepted": "accepted",
    "waived": "waived",
    "fixed": "fixed",
    "analyzer": "newer analyzer",
}
ALONE = "name a version or a profile under `baseline` in the configuration, or give --baseline"
NEXT = {  # what to do where no finding says it
    "BLOCK": f"Do not promote this version before it was compared: {ALONE}.",
    "REVIEW": f"Have it compared: {ALONE}; or have somebody who knows the training accept it.",
    "PASS": f"{GREEN}.",
    "INCOMPLETE": "Make what is listed below readable, then audit this version again.",
}
