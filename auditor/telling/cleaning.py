"""Names and reasons as a message may show them: they come from strangers."""

import re

from auditor.logs import one_line

MEANINGFUL = "<>[](){}*`~|\\!#@&$^\"'"  # to Markdown, to HTML, to chat programs: @here, <!channel>
TWINS = {ord(char): ord(char) + 0xFEE0 for char in MEANINGFUL}  # full-width forms mean nothing
WWW = re.compile(r"(www)\.", re.IGNORECASE)
LONGEST_NAME = 80


def clean(text: str, longest: int) -> str:
    """Text that is only text, in Markdown, in HTML and in a chat; no secrets, on one line.

    Characters that could mean something become their full-width twins, and what looks like
    an address does not become a link.

    Examples
    --------
    >>> clean("<!channel> @here [win](https://evil.example)", 80)
    '＜！channel＞ ＠here ［win］（https：//evil.example）'
    """
    return _inert(one_line(text, longest))


def name(text: str) -> str:
    """A model's, version's, source's or sink's name."""
    return clean(text, LONGEST_NAME)


def _inert(text: str) -> str:
    unlinked = WWW.sub(r"\1．", text.replace("://", "：//"))
    return unlinked.translate(TWINS)
