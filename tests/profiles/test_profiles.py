"""Profiles of families: built from audits, kept as files, standing in for a baseline."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.app import assemble
from auditor.cli import run
from auditor.config import load
from auditor.document import audit_id
from auditor.errors import AuditorError, ConfigError, UsageError
from auditor.ledger import Ledger
from auditor.pipeline import once
from auditor.profiles import Wanted, build, family, place, read, write
from auditor.records import Decision, Profile, Verdict
from auditor.wall.process import here as at_home
from tests import models
from tests.ledger.makers import START, TODAY, audited, layer, version
from tests.models import weights
from tests.render.factory import audit

WANTED = Wanted("digits", TODAY, "auditor", min_audits=1)


@pytest.fixture
def ledger(tmp_path):
    found = Ledger.open(f"sqlite:///{tmp_path / 'auditor.db'}")
    yield found
    found.close()


def save(ledger, number, *, model="digits", verdict=Verdict.PASS, alpha=3.0, **more):
    of = version(number, model)
    layers = more.pop("layers", [layer("fc1.weight", 0, alpha), layer("fc2.weight", 1, alpha + 1)])
    ledger.save(of, audited(of, verdict=verdict, layers=layers, **more), sinks=[], at=START)
    return of


# --- built ------------------------------------------------------------------------------------


def test_percentiles_are_over_the_layers_of_a_kind_in_all_audits(ledger):
    alphas = np.random.default_rng(0).uniform(2.0, 5.0, 30)
    for number, alpha in enumerate(alphas, start=1):
        save(ledger, number, layers=[layer("fc1.weight", 0, float(alpha))])
    found = build(ledger, WANTED).family.profile
    band = found.bands["dense"]["alpha"]
    low, middle, high = np.percentile(alphas, (5, 50, 95))
    assert (found.audits, band.n) == (30, 30)
    assert (band.p5, band.median, band.p95) == pytest.approx((low, middle, high))


def test_only_what_passed_or_was_accepted_is_in_it(ledger):
    for number, verdict in enumerate(Verdict, start=1):
        save(ledger, number, verdict=verdict)
    accepted, rejected = save(ledger, 8, verdict=Verdict.BLOCK), save(ledger, 9)
    ledger.decide(accepted, Decision(accept=True, by="ann", reason="fine", at=START))
    ledger.decide(rejected, Decision(accept=False, by="ann", reason="no", at=START))
    members = build(ledger, WANTED).family.members
    passed = str(list(Verdict).index(Verdict.PASS) + 1)
    assert sorted(one.version for one in members) == sorted([passed, "8"])


def test_the_same_weights_count_once(ledger):
    for number in (1, 2, 3):
        save(ledger, number, weights="same")
    save(ledger, 4)
    built = build(ledger, WANTED)
    assert (built.family.profile.audits, built.copies) == (2, 2)


def test_a_newer_audit_of_a_version_takes_the_place_of_the_older(ledger):
    save(ledger, 1, alpha=3.0)
    save(ledger, 1, alpha=5.0, policy="other")
    band = build(ledger, WANTED).family.profile.bands["dense"]["alpha"]
    assert (band.n, band.median) == (2, 5.5)


def test_depth_and_width_do_not_matter_and_modules_do():
    deep = [layer(f"fc{i}.weight", i) for i in range(1, 9)]
    assert family(deep) == family(deep[:2]) == ("fc#.weight dense",)
    assert family([*deep, layer("head.weight", 9)]) != family(deep)
    conv = replace(deep[0], kind="conv2d", shape=(8, 4, 3, 3))
    assert family([conv]) == ("fc#.weight conv2d 3×3",)
    assert family([replace(conv, shape=(8, 4, 5, 5))]) != family([conv])


def test_mixed_architectures_are_refused_with_their_names(ledger):
    save(ledger, 1)
    save(ledger, 1, model="faces", layers=[layer("conv.weight", 0)])
    with pytest.raises(UsageError, match="2 architectures") as caught:
        build(ledger, WANTED)
    assert "mlflow:digits (1 audits: fc#.weight dense)" in str(caught.value)
    assert "mlflow:faces (1 audits: conv.weight dense)" in str(caught.value)
    for pattern in ("mlflow:fac*", "faces"):
        built = build(ledger, replace(WANTED, models=(pattern,)))
        assert built.family.modules == ("conv.weight dense",)


def test_too_few_audits_are_refused(ledger):
    save(ledger, 1)
    with pytest.raises(UsageError, match=r"found 1 audits .* expected 5 or more"):
        build(ledger, replace(WANTED, min_audits=5))
    with pytest.raises(UsageError, match=r"found 0 audits .* besides 1 of another metric set"):
        build(ledger, replace(WANTED, convention="weightwatcher"))
    with pytest.raises(UsageError, match="found 0 audits"):
        build(ledger, replace(WANTED, source="hub"))


# --- kept -------------------------------------------------------------------------------------


@pytest.fixture
def kept(ledger, tmp_path):
    save(ledger, 1)
    path = place("digits", tmp_path)
    return write(build(ledger, WANTED).family, START, path), path


def test_what_is_written_is_read_again(kept):
    found, path = kept
    assert read(path) == found
    assert len(found.profile.digest) == 64


def test_the_same_audits_have_the_same_digest(kept, ledger, tmp_path):
    again = write(build(ledger, WANTED).family, START.replace(year=2027), tmp_path / "b.json")
    assert again.profile.digest == kept[0].profile.digest


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metric_set": 999}, "was changed since it was built"),
        ({"more": 1}, "is no profile: more: Extra inputs"),
        ({"auditor_profile": 2}, "is no profile: auditor_profile"),
        ({"name": "../x"}, "is no profile: name"),
        ({"bands": {"dense": {"alpha": {"n": 1, "p5": 3, "median": 2, "p95": 1}}}}, "p5 ≤ median"),
        ({"bands": {"dense": {"alpha": {"n": -1, "p5": 1, "median": 2, "p95": 3}}}}, "bands.dense"),
        ({"bands": {"\x1b[31m": 1}}, "bands."),
    ],
)
def test_a_changed_or_damaged_file_is_one_clear_sentence(kept, changed, said):
    _, path = kept
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert said in str(caught.value)
    assert str(caught.value).endswith("build it again with auditor profile build digits")
    assert str(caught.value).isprintable()


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200) | st.sampled_from([b"[" * 100_000, b"NaN", b'{"a":NaN}']))
def test_any_bytes_are_no_profile(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is no profile"):
        read(path)


def test_nothing_there_a_folder_and_an_endless_file(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no profile at .*; build it with"):
        read(tmp_path / "no.json")
    with pytest.raises(ConfigError, match="no profile can be read at"):
        read(tmp_path)
    (tmp_path / "long.json").write_bytes(b" " * (16 * 1024**2 + 1))
    with pytest.raises(ConfigError, match="larger than any profile"):
        read(tmp_path / "long.json")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "x" * 65, "\0"])
def test_a_name_is_no_path(tmp_path, name):
    with pytest.raises(AuditorError, match="is no name for a profile"):
        place(name, tmp_path)


# --- used -------------------------------------------------------------------------------------


def audits_of(root, **changed):
    with assemble(load(models.config(root, **changed)), execute=at_home) as app:
        return once(app).audited


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Six audited models of one architecture."""
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        models.write(tmp_path / f"models/net-{number}/1", weights(number), day=1)
    audits_of(tmp_path)
    return tmp_path


def test_a_profile_stands_in_where_there_is_no_baseline(here, capsys):
    assert run(["profile", "build", "nets", "--model", "folder:net-*"]) == 0
    assert capsys.readouterr().out.startswith("profile nets from 6 audits, ")
    assert run(["profile", "show", "nets"]) == 0
    shown = capsys.readouterr().out
    assert "folder:net-5" in shown
    assert run(["profile", "show", "nets", "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    models.write(here / "models/net-9/1", weights(9), day=2)
    models.write(here / "models/other/1", {"odd.weight": weights()["fc1.weight"]}, day=3)
    selectors = "[previous, 'profile:nets']"
    first, other = audits_of(here, baseline=selectors)
    assert (first["profile"]["digest"], first["comparison"]) == (digest, None)
    assert other["profile"] is None  # of another architecture
    models.write(here / "models/net-9/2", weights(10), day=4)
    (second,) = audits_of(here, baseline=selectors)
    assert (second["comparison"]["baseline"]["version"], second["profile"]) == ("1", None)


@pytest.mark.usefixtures("here")
def test_a_profile_is_refused_before_any_work_where_there_is_none(here, capsys):
    models.config(here, baseline="['profile:nets']")
    for command in (["once"], ["config", "check"]):
        assert run(command) == 2
        said = capsys.readouterr().err
        assert "there is no profile at" in said
        assert said.endswith("build it with auditor profile build nets\n")


def test_commands_on_nothing_are_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["profile", "build", "nets"]) == 2
    assert "there is no ledger yet" in capsys.readouterr().err
    assert run(["profile", "show", "nets"]) == 2
    assert run(["profile", "build", "../x"]) == 2
    assert "is no name for a profile" in capsys.readouterr().err


def test_audits_against_another_profile_have_another_name():
    made = audit()
    with_it = replace(made, profile=Profile("a", "d" * 64, 5, {}))
    other = replace(made, profile=Profile("a", "e" * 64, 5, {}))
    assert len({audit_id(one) for one in (made, with_it, other)}) == 3
