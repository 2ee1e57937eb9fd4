"""The documents say what there is, all of it, and nothing that there is not."""

import inspect
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from safetensors.numpy import save_file

import auditor
from auditor import checks, plugins
from auditor.checks.base import name_of
from auditor.cli import app
from auditor.config import Config, Limits
from auditor.config.options import Options
from auditor.config.service import Server
from auditor.config.units import duration, size
from auditor.exits import FailOn, exit_code
from auditor.plugins import Room
from auditor.policies import load_policy
from auditor.policy import PRESET_NAMES, preset
from auditor.records import Verdict

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
CLI = ROOT / "docs" / "cli.md"
PAGES = sorted([README, ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
KINDS: list[tuple[Room, str]] = [
    *(("sources", kind) for kind in plugins.kinds("sources")),
    *(("sinks", kind) for kind in plugins.kinds("sinks")),
]
ELSEWHERE = {"cache", "folder", "uri"}  # settings whose default comes from another key


def section(page: Path, title: str) -> str:
    """Text below a heading, up to the next of the same or a higher level."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"{page.name} has no heading {title}"
    rest = text[found.end() :]
    return re.split(rf"^#{{1,{len(found[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> dict[str, list[str]]:
    """Rows of the tables in a text, by their first cell; cells without back-quotes."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells if first not in TABLE_HEADS}


TABLE_HEADS = {"---", "verdict", "command", "key", "setting", "check"}


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


# --- commands -----------------------------------------------------------------------------


def commands() -> dict[str, set[str]]:
    """Every command with its options."""
    root: Any = typer.main.get_command(app)
    return dict(_commands(root, "auditor"))


def _commands(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
    if hasattr(command, "commands"):
        for child, below in command.commands.items():
            yield from _commands(below, f"{name} {child}")
        return
    said = [
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    ]
    yield name, {option for option in said if option.startswith("--")}


def named(line: str) -> str | None:
    """The command that a line begins with; None where there is no such command."""
    words = line.split()
    return next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in commands()), None)


def test_the_readme_lists_every_command_and_no_other():
    assert rows(section(README, "Commands")).keys() == commands().keys()


def test_the_overview_of_commands_lists_every_option_and_no_other():
    listed = rows(section(CLI, "Commands"))
    found = {
        str(named(first)): set(re.findall(r"--[a-z-]+", rest[0])) for first, rest in listed.items()
    }
    assert found == commands()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_a_command_with_options_that_it_has(page):
    shown = [line for block in blocks(page, "sh") for line in joined(block)]
    spans = re.findall(r"`(auditor [a-z][^`]*)`", page.read_text(encoding="utf-8"))
    for line in [*(line for line in shown if line.startswith("auditor ")), *spans]:
        command = named(line)
        assert command, f"{page.name}: {line}"
        assert set(re.findall(r" (--[a-z-]+)", line)) <= commands()[command], line


def joined(block: str) -> list[str]:
    return re.sub(r"\\\n\s*", " ", block).splitlines()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README.read_text()))))
def test_every_make_target_that_the_readme_names_exists(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


# --- verdicts -----------------------------------------------------------------------------


def test_the_readme_gives_the_exit_code_of_every_verdict():
    listed = rows(section(README, "Verdicts and exit codes"))
    assert listed.keys() == {*Verdict, "–"}
    for verdict in Verdict:
        codes = {exit_code(verdict), exit_code(verdict, FailOn.REVIEW)}
        assert {int(code) for code in re.findall(r"\d", listed[verdict][1])} == codes


# --- configuration ------------------------------------------------------------------------


def test_the_readme_lists_every_key_and_no_other():
    assert rows(section(README, "Configuration")).keys() == Config.model_fields.keys()


def test_the_reference_lists_every_key_and_no_other():
    keys = {
        *Config.model_fields,
        *(f"limits.{key}" for key in Limits.model_fields),
        *(f"server.{key}" for key in Server.model_fields),
        *(f"analysis.{key}" for key in Options.model_fields),
    }
    assert rows(section(CONFIGURATION, "Keys")).keys() == keys


@pytest.mark.parametrize("page", [(README, "Configuration"), (CONFIGURATION, "Keys")], ids=str)
def test_the_defaults_of_keys_are_as_documented(page):
    listed = rows(section(*page))
    for key in ("ledger", "data", "reports", "policy"):
        assert listed[key][0] == str(Config.model_fields[key].default)
    assert plain(listed["baseline"][0]) == list(Config.model_fields["baseline"].default)


def test_the_defaults_of_limits_are_as_documented():
    listed = rows(section(CONFIGURATION, "Keys"))
    for key, field in Limits.model_fields.items():
        said = listed[f"limits.{key}"][0]
        assert (said if field.default == "auto" else size(said)) == field.default


def test_the_defaults_of_options_are_as_documented():
    listed = rows(section(CONFIGURATION, "Keys"))
    for key, field in Options.model_fields.items():
        said = listed[f"analysis.{key}"][0]
        assert said == documented(field), key


def test_python_command_line_and_configuration_have_the_same_options():
    limits = {"device", "memory", "time_budget"}
    python = inspect.signature(auditor.analyze).parameters.keys() - {"model", "progress", *limits}
    assert python == Options.model_fields.keys() - {"more_distances"}  # those need two models
    command = {option.replace("-", "_") for option in commands()["auditor analyze"]}
    shell = {option.removeprefix("__") for option in command} - {"json", "csv", "no_pool", *limits}
    assert shell == {option.lower() for option in python}


@pytest.mark.parametrize(("room", "kind"), KINDS)
def test_every_kind_is_documented_with_its_settings_and_their_defaults(room, kind):
    part = section(CONFIGURATION, room.title())
    within = re.split(r"^### ", part, flags=re.MULTILINE)
    [text] = [found for found in within if found.startswith(f"`kind: {kind}`\n")]
    settings = {field.name: field for field in fields(plugins.plugin(room, kind))}
    listed = rows(text)
    assert listed.keys() == settings.keys()
    for name in settings.keys() - ELSEWHERE:
        said = listed[name][0]
        assert said == documented(settings[name]) or amount(said) == settings[name].default, name


def amount(text: str) -> float | None:
    """A size in bytes, or a time in seconds, as people write them."""
    for read in (size, duration):
        with suppress(ValueError):
            return read(text)
    return None


def documented(field: Field[Any] | FieldInfo) -> str:
    """A default as the documents write it."""
    if field.default is MISSING or field.default is None:
        return "–"
    if isinstance(field.default, tuple):
        return "[" + ", ".join(f'"{item}"' for item in field.default) + "]"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


# --- checks -------------------------------------------------------------------------------


def test_the_readme_gives_the_level_of_every_check_in_every_preset():
    listed = {check: rest[1:] for check, rest in rows(section(README, "Checks")).items()}
    assert listed == {
        name_of(check): [str(preset(name).level(name_of(check))) for name in PRESET_NAMES]
        for check in checks.ALL
    }


def test_the_readme_says_of_every_check_what_the_check_says_of_itself():
    listed = rows(section(README, "Checks"))
    for check in checks.ALL:
        first = str(check.__doc__).partition("\n")[0].removesuffix(".")
        assert listed[name_of(check)][0] == first[0].lower() + first[1:]


def test_the_policy_file_that_is_shown_is_one(tmp_path):
    [shown] = blocks(CONFIGURATION, "yaml")
    path = tmp_path / "policy.yaml"
    path.write_text(shown, encoding="utf-8")
    policy = load_policy(str(path))
    assert policy.level("large_change") == "warn"
    assert policy.level("over_trained") == "error"


# --- the rest -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(found), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_python_recipe_runs(tmp_path, monkeypatch, rng):
    save_file({"fc.weight": rng.normal(size=(64, 32))}, tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    [recipe] = blocks(README, "python")
    names: dict[str, Any] = {}
    exec(recipe, names)  # noqa: S102 - our own README
    assert isinstance(names["found"], auditor.Analysis)
