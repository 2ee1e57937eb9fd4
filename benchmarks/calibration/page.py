"""A page of prose whose tables are made here: they stand between two comments that name them."""

import re
from collections.abc import Mapping
from pathlib import Path


def write(page: Path, blocks: Mapping[str, str]) -> None:
    """Put every block between its marks; what stands around them stays.

    Raises
    ------
    ValueError
        If the page lacks the marks of a block.
    """
    text = page.read_text(encoding="utf-8")
    for name, block in blocks.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(rf"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{page} has no place for {name!r}; write {begin} and {end} into it")
        whole = f"{begin}\n{block}\n{end}"
        text = pattern.sub(lambda _, whole=whole: whole, text, count=1)
    page.write_text(text, encoding="utf-8")
