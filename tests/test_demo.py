"""The demo: what its stories do to the weights, and what the line that ships says to that."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from rich.console import Console

from auditor.app import assemble
from auditor.config import load
from auditor.demo import run
from auditor.demo.folder import prepare
from auditor.demo.registry import tracking_uri
from auditor.demo.shown import Outcome
from auditor.demo.stories import STORIES, Story, Workshop, epochs, keep_one_direction, scale_down
from auditor.demo.training import Training, dealt_again
from auditor.errors import UsageError
from auditor.pipeline import once
from auditor.records import Verdict

WELL, SHUFFLED, TOO_FAST, RANK_ONE, SCALED, AGAIN = STORIES
PASS, REVIEW, BLOCK = Verdict.PASS, Verdict.REVIEW, Verdict.BLOCK
EXPECTED = {
    WELL: (PASS, set()),
    SHUFFLED: (REVIEW, {("over_trained", "fc2.weight")}),
    TOO_FAST: (REVIEW, {("over_trained", "fc2.weight"), ("scale_explosion", "fc2.weight")}),
    RANK_ONE: (BLOCK, {("rank_collapse", "fc2.weight")}),
    SCALED: (BLOCK, {("scale_collapse", "fc1.weight")}),
    AGAIN: (PASS, set()),
}


def hurried(story: Story) -> Story:
    """The same story with fewer epochs: enough for what is done after training."""
    return replace(story, training=Training(epochs=8))


def gated(outcome: Outcome) -> set[tuple[str, str]]:
    """(check, layer) of what the policy did not let pass."""
    return {
        (finding["check"], finding["layer"])
        for finding in outcome.audit["findings"]
        if finding["level"] != "off" and finding["severity"] != "info"
    }


def holds(stories: Sequence[Story], outcomes: Sequence[Outcome]) -> None:
    """Each story got its verdict, for its reason, wherever it stands in the order."""
    assert [outcome.verdict for outcome in outcomes] == [EXPECTED[story][0] for story in stories]
    for story, outcome in zip(stories, outcomes, strict=True):
        assert gated(outcome) >= EXPECTED[story][1], story.title


def test_half_of_the_labels_change_places_and_none_is_made_up():
    labels = torch.arange(1000)
    dealt = dealt_again(labels, 0.5, torch.Generator().manual_seed(1))
    assert torch.equal(dealt.sort().values, labels)
    assert 490 <= int((dealt != labels).sum()) <= 500  # a few of the 500 fall where they were


def test_compression_leaves_the_strongest_direction_alone(rng):
    weight = torch.tensor(rng.normal(size=(30, 20)))
    before = np.linalg.svd(weight.numpy())
    after = np.linalg.svd(keep_one_direction(weight).numpy())
    assert after.S[0] == pytest.approx(before.S[0])
    assert after.S[1] < 1e-12 * after.S[0]
    assert abs(before.U[:, 0] @ after.U[:, 0]) == pytest.approx(1.0)


def test_export_makes_a_layer_a_hundred_times_smaller(rng):
    weight = torch.tensor(rng.normal(size=(3, 2)))
    torch.testing.assert_close(scale_down(weight) * 100, weight)


def test_the_same_seed_makes_the_same_network_and_another_seed_another():
    story = Story("short", Training(epochs=1))
    one, same, other = (Workshop(seed).make(story).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["fc1.weight"], other["fc1.weight"])


def test_damage_touches_one_tensor_and_not_the_network_it_was_done_to():
    seen: list[int] = []
    workshop = Workshop(0, lambda: seen.append(1))
    stories = tuple(replace(story, training=Training(epochs=2)) for story in (WELL, SCALED, WELL))
    sound, damaged, again = (workshop.make(story).state_dict() for story in stories)
    assert [name for name in sound if not torch.equal(sound[name], damaged[name])] == ["fc1.weight"]
    assert torch.equal(sound["fc1.weight"], again["fc1.weight"])
    assert len(seen) == epochs(stories) == 2  # what is trained alike is trained once


def test_training_leaves_the_random_numbers_of_the_caller_alone():
    torch.manual_seed(5)
    undisturbed = torch.rand(1)
    torch.manual_seed(5)
    Workshop(0).make(Story("short", Training(epochs=1)))
    assert torch.equal(torch.rand(1), undisturbed)


def test_a_second_demo_replaces_the_first_and_nothing_else(tmp_path):
    config = prepare(tmp_path / "out")
    (tmp_path / "out" / "mlflow.db").write_text("of the first demo")
    assert prepare(tmp_path / "out") == config
    assert not (tmp_path / "out" / "mlflow.db").exists()
    assert load(config).policy == "recommended"


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path):
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("mine")
    with pytest.raises(UsageError, match="name a new folder with --out"):
        prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError, match="name a new folder with --out"):
        prepare(thesis)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Three versions with little training, told on a console; run in a folder of its own."""
    folder = tmp_path_factory.mktemp("demo")
    stories = tuple(hurried(story) for story in (WELL, RANK_ONE, SCALED))
    console = Console(record=True, width=200, file=StringIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        outcomes = run(Path("out"), 0, stories, console)
    return folder, outcomes, console.export_text()


def test_damage_is_blocked_and_its_layer_named(short):
    _, outcomes, _ = short
    assert [outcome.verdict for outcome in outcomes] == [PASS, BLOCK, BLOCK]
    assert gated(outcomes[1]) == {("rank_collapse", "fc2.weight")}
    assert gated(outcomes[2]) == {("scale_collapse", "fc1.weight")}


def test_the_screen_says_verdicts_reasons_and_where_to_look(short):
    folder, outcomes, screen = short
    for outcome in outcomes:
        assert outcome.reason.split()[0] in screen
        assert outcome.report.is_file()
        assert outcome.report.name in screen
    assert "✖ BLOCK" in screen
    assert f"mlflow ui --backend-store-uri sqlite:///{folder}/out/mlflow.db" in screen
    assert f"auditor once --config {folder}/out/config.yaml" in screen


@pytest.mark.wide
def test_the_registry_holds_versions_in_order_with_verdicts_as_tags(short):
    folder, outcomes, _ = short
    client = mlflow.MlflowClient(tracking_uri(folder / "out"), tracking_uri(folder / "out"))
    versions = [client.get_model_version("digits", str(number)) for number in (1, 2, 3)]
    made = [version.creation_timestamp for version in versions]
    assert made == sorted(set(made))
    assert [version.tags["auditor.verdict"] for version in versions] == [
        outcome.verdict for outcome in outcomes
    ]
    assert client.get_model_version_by_alias("digits", "champion").version == versions[0].version


@pytest.mark.wide
def test_nothing_is_written_outside_the_folder_of_the_demo(short):
    folder, *_ = short
    assert {path.name for path in folder.iterdir()} == {"out"}


@pytest.mark.wide
def test_a_second_look_finds_nothing_new(short):
    folder, *_ = short
    with assemble(load(folder / "out" / "config.yaml")) as app:
        assert once(app).audited == []


@pytest.mark.wide
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_story_gets_the_verdict_its_weights_deserve(seed, tmp_path):
    holds(STORIES, run(tmp_path / "out", seed))


@pytest.mark.wide
def test_verdicts_move_with_the_recipes(tmp_path):
    swapped = (WELL, RANK_ONE, TOO_FAST, SHUFFLED, SCALED, AGAIN)
    holds(swapped, run(tmp_path / "out", 0, swapped))
