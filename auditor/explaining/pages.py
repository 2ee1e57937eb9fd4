"""``docs/checks.md``: a section for every check, from what the checks say of themselves."""

from collections.abc import Iterator
from textwrap import wrap

from auditor.explaining.about import AboutCheck, every_check
from auditor.explaining.text import told

WIDE = 100
HEAD = """\
# The checks

What `auditor explain` says of every check, made by `auditor explain --markdown`. How rules, levels
and waivers work is in [policy.md](policy.md); how the figures were made is in
[calibration.md](calibration.md).

A layer that its random twin explains is untrained: no check of α looks at it. Decisions rest on an
interval or an error, never on a number alone. What changed since the baseline is held against the
baseline; where the baseline's own finding still stands, against what that was held against.
What happened once to one version (a large change, other layers, shapes or types, no change, bytes
that nobody vouches for) is new in each version it happens to, whatever was accepted before, and
over in the next.
"""


def page() -> str:
    """The whole page."""
    found = every_check()
    rows = "".join(f"| [`{one.name}`](#{one.name}) | {_row(one)} |\n" for one in found)
    head = f"{HEAD}\n| check | what it finds | severity |\n|---|---|---|\n{rows}"
    return "\n".join([head, *("\n".join(_section(one)) for one in found)])


def _row(one: AboutCheck) -> str:
    summary = one.summary.removesuffix(".")
    return f"{summary[0].lower()}{summary[1:]} | {one.severity}"


def _section(one: AboutCheck) -> Iterator[str]:
    yield f"## {one.name}\n"
    yield f"{_filled(f'{one.summary} {one.detail}'.strip())}\n"
    yield f"{_filled(f'**Meaning.** {one.check.meaning}')}\n"
    yield f"{_filled(f'**Why.** {one.check.theory}')}\n"
    yield f"{_filled('**Sources.** ' + ' · '.join(map(_linked, one.check.sources)))}\n"
    yield f"{_filled(f'**What to try.** {one.check.advice}')}\n"
    said = ", ".join(f"{preset} *{level}*" for preset, level in one.levels.items())
    yield f"**Levels.** {said}.\n"
    if one.fields:
        yield "| threshold | default | unit | what it does |\n|---|---|---|---|"
        for field in one.fields:
            yield f"| `{field.name}` | {field.shown} | {field.unit} | {field.does} |"
        yield ""
    yield "**How often it is right.**\n"
    yield from (_filled(f"- {line}", "  ") for line in told(one.figures))
    yield ""


def _linked(source: str) -> str:
    """A page of ours as a link."""
    if not source.startswith("docs/"):
        return source
    name = source.removeprefix("docs/")
    return f"[{name}]({name})"


def _filled(text: str, indent: str = "") -> str:
    return "\n".join(wrap(text, WIDE, subsequent_indent=indent, break_on_hyphens=False))
