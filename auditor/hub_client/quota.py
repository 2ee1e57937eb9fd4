"""How many requests the Hub still allows, as it states in the headers of every answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

FEW = 0.05  # of all that are allowed: from here on they are made slowly
SLOWEST = 10.0  # seconds between two requests; whoever ends the program waits for one of these
LONGEST = 10**9  # seconds; a header may hold any number
API = "api"  # what the Hub calls requests to its API
SHOWN = {API: "API", "resolvers": "file"}  # what people call them


@dataclass(frozen=True, slots=True)
class Window:
    """What is left until the Hub counts anew."""

    kind: str  # of requests, as the Hub calls it
    remaining: int
    seconds: int  # until it counts anew
    limit: int | None  # requests in a whole window, where it says

    @property
    def remark(self) -> str:
        """What is left, for people."""
        of = f" of {self.limit}" if self.limit else ""
        kind = SHOWN.get(self.kind, self.kind)
        return f"{self.remaining}{of} {kind} requests left, {self.seconds} s to go"


@dataclass(slots=True)
class Quota:
    """What the last answers said, by kind of request."""

    windows: dict[str, Window] = field(default_factory=dict)

    def note(self, headers: Mapping[str, str]) -> None:
        """Take down what an answer says."""
        found = window(headers)
        if found is not None:
            self.windows[found.kind] = found

    @property
    def pause(self) -> float:
        """Seconds to wait before the API is asked again; 0 while many requests are left.

        The last few are spread over the time for which they have to do. With none left
        there is no wait: the Hub's next answer says how long.
        """
        left = self.windows.get(API)
        if left is None or not left.limit or not 0 < left.remaining < FEW * left.limit:
            return 0.0
        return min(left.seconds / left.remaining, SLOWEST)

    @property
    def remark(self) -> str:
        """``499 of 500 API requests left, 295 s to go``; empty where the Hub says nothing."""
        return "; ".join(left.remark for _, left in sorted(self.windows.items()))


def window(headers: Mapping[str, str]) -> Window | None:
    """What the headers of an answer say; None where they say nothing."""
    try:
        found = import_module("huggingface_hub.utils").parse_ratelimit_headers(headers)
    except ValueError:  # a number of thousands of digits
        return None
    if found is None:
        return None
    return Window(
        kind=str(found.resource_type)[:20],
        remaining=min(found.remaining, LONGEST),
        seconds=min(found.reset_in_seconds, LONGEST),
        limit=found.limit,
    )
