"""A floor under every policy: what a project may not loosen, whatever it tries."""

from dataclasses import replace

import pytest

from auditor.checks.base import Case
from auditor.config import Config, Plugin, load, parts
from auditor.errors import ConfigError
from auditor.policies import configured, layers
from auditor.policies.layers import FLOOR
from auditor.policy import judge
from auditor.records import Verdict
from tests.policies.conftest import TODAY
from tests.policy.making import MODEL, OVER_TRAINED, over_trained

FLOOR_TEXT = "extends: []\nchecks: {over_trained: error}\n"
WAIVER = (
    'waivers: [{check: over_trained, model: "*", layer: "*", reason: r, owner: o, expires: %s}]'
)


@pytest.fixture
def judged(folder, monkeypatch):
    """The verdict on an over-trained layer under a policy on a floor."""

    def run(ours, floor=FLOOR_TEXT, *layers_, **others):
        monkeypatch.delenv(FLOOR, raising=False)
        root = folder(policy=ours, floor=floor, **others)
        config = made(root, floor="floor.yaml")
        found = configured(config, today=TODAY)
        case = Case(layers_ or (OVER_TRAINED,))
        return judge(case, found, model=MODEL, as_of=TODAY)

    return run


def made(root, policy="policy.yaml", floor=None):
    (root / "config.yaml").write_text(
        f"sources: [{{kind: folder, root: models}}]\npolicy: {policy}\n"
        + (f"floor: {floor}\n" if floor else ""),
        encoding="utf-8",
    )
    return load(root / "config.yaml")


@pytest.mark.parametrize(
    "ours",
    [
        "checks: {over_trained: off}",
        "checks: {over_trained: warn}",
        "extends: []",
        "extends: observe",
        "rules: [{check: over_trained, level: error, max: 100}]",
        "rules: [{check: over_trained, level: off, layer: fc}]",
        "rules: [{check: over_trained, level: off, kind: dense}]",
        'rules: [{check: over_trained, level: off, model: "mlflow:digits"}]',
        'extends: []\nrules: [{check: over_trained, level: error, model: "other-*"}]',
        "checks: {over_trained: {level: error, below: 0.1}}",
        "checks: {over_trained: {min_tail: 100000}}",
        WAIVER % "2026-06-30",
        "extends: [floor.yaml]\nchecks: {over_trained: off}\n" + WAIVER % "2026-06-30",
        "extends: loose.yaml",
        "waivers_file: loose.yaml",
    ],
)
def test_nothing_that_a_project_says_loosens_it(judged, ours):
    loose = WAIVER % "2026-06-30"
    if "extends: loose" in ours:
        loose += "\nchecks: {over_trained: off}"
    assert judged(ours, loose=loose).verdict is Verdict.BLOCK


def test_a_project_may_ask_more(judged):
    floor = "extends: []\nchecks: {over_trained: warn}"
    assert judged("extends: []", floor).verdict is Verdict.REVIEW
    assert judged("extends: []\nchecks: {over_trained: error}", floor).verdict is Verdict.BLOCK


def test_the_row_that_failed_names_the_floor(judged):
    found = judged("checks: {over_trained: off}")
    assert [row.source for row in found.gate if not row.passed] == ["floor.yaml, line 2"]


def test_a_waiver_in_the_floor_covers_what_the_floor_asks_and_nothing_of_the_project(judged):
    floor = FLOOR_TEXT + WAIVER % "2026-06-30"
    assert judged("extends: []", floor).verdict is Verdict.PASS
    assert judged("checks: {over_trained: warn}", floor).verdict is Verdict.REVIEW
    late = FLOOR_TEXT + WAIVER % "2026-03-01"
    assert judged("extends: []", late).verdict is Verdict.BLOCK


def test_a_floor_may_extend_and_be_for_some_models_only(judged):
    floor = 'extends: base.yaml\nrules: [{check: over_trained, level: off, model: "scratch-*"}]'
    assert judged("extends: []", floor, base=FLOOR_TEXT).verdict is Verdict.BLOCK
    others = 'extends: base.yaml\nrules: [{check: over_trained, level: off, model: "digits"}]'
    assert judged("extends: []", others, base=FLOOR_TEXT).verdict is Verdict.PASS


def test_a_floor_lets_pass_what_it_says(judged):
    floor = "extends: []\nrules: [{check: over_trained, level: error, max: 1}]"
    assert judged("extends: []", floor).verdict is Verdict.PASS
    two = (over_trained("a"), over_trained("b"))
    assert judged("extends: []", floor, *two).verdict is Verdict.BLOCK


def test_a_floor_that_judges_history_again_does_so_under_every_policy(folder):
    root = folder(policy="retroactive: false", floor="extends: []\nretroactive: true")
    assert configured(made(root, floor="floor.yaml"), today=TODAY).retroactive
    assert not configured(made(root), today=TODAY).retroactive


# --- where it is named --------------------------------------------------------------------


def test_another_policy_on_the_command_line_has_the_same_floor(folder):
    config = made(folder(policy="{}", floor=FLOOR_TEXT), floor="floor.yaml")
    for name in (None, "observe", "strict"):
        found = configured(config, name, TODAY)
        assert found.floor is not None
        assert [rule.check for rule in found.floor.rules] == ["over_trained"]
    assert configured(config, "strict", TODAY).name == "strict"


def test_a_preset_may_be_a_floor(folder):
    found = configured(made(folder(policy="extends: []"), floor="strict"), today=TODAY)
    assert [part.name for part in found.parts] == ["policy", "strict"]


def test_the_machine_may_name_one_that_no_configuration_leaves_out(folder, monkeypatch):
    root = folder(policy="{}", floor=FLOOR_TEXT, more="extends: []\nbaseline: error")
    monkeypatch.setenv(FLOOR, str(root / "more.yaml"))
    assert [part.name for part in configured(made(root)).parts] == ["policy", "more"]
    both = configured(made(root, floor="floor.yaml"))
    assert [part.name for part in both.parts] == ["policy", "floor", "more"]
    bare = configured(Config(sources=(Plugin("folder", {"root": "x"}),), policy="observe"))
    assert [part.name for part in bare.parts] == ["observe", "more"]


def test_one_that_is_named_twice_is_one(folder):
    root = folder(policy="{}", floor=FLOOR_TEXT)
    config = made(root, floor="floor.yaml")
    found = layers(config, environ={FLOOR: config.floor or ""})
    assert [one.name for one in found] == ["policy", "floor"]


def test_an_empty_variable_names_none(folder):
    assert len(layers(made(folder(policy="{}")), environ={FLOOR: ""})) == 1


@pytest.mark.parametrize(
    ("floor", "said"),
    [
        ("nope.yaml", "floor: no policy file "),
        ("strickt", "floor: no such preset here; did you mean strict?"),
        ("7", "floor: expected the name of a preset or the path of a policy file"),
    ],
)
def test_a_floor_that_is_not_there_ends_the_program(folder, floor, said):
    with pytest.raises(ConfigError) as caught:
        made(folder(policy="{}"), floor=floor)
    assert said in str(caught.value)


def test_a_floor_of_the_machine_that_is_not_there_is_told_by_its_variable(folder):
    config = made(folder(policy="{}"))
    with pytest.raises(ConfigError, match=r"^AUDITOR_FLOOR: policy /nope\.yaml: no such policy"):
        layers(config, environ={FLOOR: "/nope.yaml"})


def test_mistakes_in_policy_and_floor_are_said_together(folder):
    config = made(folder(policy="checks: {nope: off}", floor="rules: [7]"), floor="floor.yaml")
    with pytest.raises(ConfigError) as caught:
        configured(config)
    assert len(str(caught.value).splitlines()) == 2


# --- what is not measured -----------------------------------------------------------------


def with_analysis(root, text, floor=None):
    made(root, floor=floor)
    path = root / "config.yaml"
    path.write_text(f"{path.read_text()}analysis: {{{text}}}\n")
    return load(path)


def test_what_a_floor_looks_at_is_measured(folder):
    root = folder(policy="{}", floor="extends: []\nchecks: {correlation_traps: error}")
    with pytest.raises(ConfigError) as caught:
        configured(with_analysis(root, "randomize: false", floor="floor.yaml"))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("floor floor: ")
    assert line.endswith(
        " is not measured by the configured analysis; analysis.randomize: true adds it"
    )
    allowed = configured(with_analysis(root, "intervals: false", floor="floor.yaml"))
    assert [part.name for part in allowed.parts] == ["policy", "floor"]


@pytest.mark.parametrize(
    ("text", "said_"),
    [
        ('layers: ["!fc1*"]', "analysis.layers is ['!fc1*']: expected []"),
        ("min_evals: 5000", "analysis.min_evals is 5000: expected 8"),
        ("pool: false", "analysis.pool is false: expected true"),
        ("fit: TPL", "analysis.fit is TPL: expected PL"),
    ],
)
def test_under_a_floor_of_the_machine_nothing_is_kept_out_of_sight(folder, text, said_):
    root = folder(policy="{}", floor="extends: []\nchecks: {all_zero: error}")
    environ = {FLOOR: str(root / "floor.yaml")}
    config = with_analysis(root, text)
    with pytest.raises(ConfigError) as caught:
        layers(config, environ=environ)
    (line,) = str(caught.value).splitlines()
    assert line == f"AUDITOR_FLOOR: {said_}, with which a floor is held for sure"
    assert layers(config, environ={})


@pytest.mark.parametrize("text", ["", "detX: true, vectors: true", "intervals: true"])
def test_more_may_be_measured(folder, text):
    root = folder(policy="{}", floor="extends: []\nchecks: {all_zero: error}")
    assert layers(with_analysis(root, text), environ={FLOOR: str(root / "floor.yaml")})


def test_no_name_of_a_source_hides_a_model_from_rules_by_name(folder):
    """Of ``x:y:prod-net`` with a source ``x:y`` the name alone would be ``y:prod-net``."""
    config = made(folder(policy="{}"))
    hiding = replace(config.sources[0], settings={"root": "models", "name": "x:y"})
    with pytest.raises(ConfigError, match="found 'x:y': expected a name without :; what comes"):
        parts(config.model_copy(update={"sources": (hiding,)}))
