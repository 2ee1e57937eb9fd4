"""Several versions side by side, medians with intervals, names together; and real weights."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import auditor
from auditor.config.options import chosen
from auditor.errors import UsageError
from auditor.given import examined
from auditor.memory import Passing
from auditor.story import Nature
from auditor.story.amounts import middle
from auditor.story.formats import bits, is_quantised, rounding
from auditor.story.names import together
from auditor.wall.jobs import Terms, quiet
from tests.story.makers import merged, transformer

SETTINGS = chosen({"mp_fit": False, "randomize": False}).settings
TERMS = Terms(settings=SETTINGS, memory=2**31, device="cpu")


@pytest.fixture(scope="module")
def three():
    """A base, an adapter merged into it, and another adapter merged into that."""
    base = transformer()
    second = merged(base, part="q_proj")
    return base, second, merged(second, part="o_proj")


def test_every_one_is_compared_with_the_first(three):
    found = auditor.compare(*three)
    assert [(row.label, row.against, row.changed) for row in found.versions] == [
        ("A", "", 0),
        ("B", "A", 4),
        ("C", "A", 8),
    ]
    assert found.to_dict()["pairs"][1]["story"]["sentences"][0].startswith("8 of 18")


def test_or_with_the_one_before(three):
    found = auditor.compare(*three, to="previous")
    assert [(row.against, row.changed) for row in found.versions] == [("", 0), ("A", 4), ("B", 4)]
    assert set(found.details["version"]) == {"B", "C"}
    assert found.complete


def test_two_are_a_pair_and_not_a_lineup(three):
    found = auditor.compare(three[0], three[1])
    assert [row.label for row in found.versions] == ["A", "B"]
    assert found.pairs == (found,)


def test_any_other_word_is_refused(three):
    with pytest.raises(UsageError, match="expected one of first, previous"):
        auditor.compare(*three, to="last")  # type: ignore[call-overload]


def test_what_was_measured_is_not_measured_again(three):
    memory = Passing()
    base, second, third = three
    examined(second, base, TERMS, quiet, memory)
    assert len(memory.found) == 18 + 4
    examined(third, base, TERMS, quiet, memory)
    assert len(memory.found) == 18 + 4 + 4


def test_the_distance_of_a_whole_model_is_that_of_all_its_entries(three):
    base, second, _ = three
    delta = math.sqrt(sum(float(np.square(second[n] - base[n]).sum()) for n in base))
    size = math.sqrt(sum(float(np.square(w).sum()) for w in base.values()))
    found = auditor.compare(base, second).versions[1]
    assert found.relative == pytest.approx(delta / size, rel=1e-5)


# --- medians ------------------------------------------------------------------------------


def test_the_interval_holds_the_true_median_in_95_of_100_cases(rng):
    for size in (6, 13, 26, 100):
        found = [middle(rng.normal(size=size).tolist()) for _ in range(2000)]
        share = np.mean([one.low <= 0.0 <= one.high for one in found])
        assert 0.94 < share <= 1.0


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
def test_a_median_lies_in_its_interval(values):
    found = middle(values)
    assert found.count == sum(map(math.isfinite, values))
    if found.count >= 6:
        assert found.low <= found.value <= found.high
    else:
        assert math.isnan(found.low)


# --- names and formats --------------------------------------------------------------------


@given(st.lists(st.text("ab.019-"), max_size=20, unique=True))
def test_no_name_is_lost(names):
    assert sum(one.count for one in together(names)) == len(names)


def test_many_numbers_are_told_in_few_words():
    [found] = together([f"h.{2 * i}.fc" for i in range(10_000)])
    assert found.count == 10_000
    assert found.text == "h.0,2,4,6,8,10,….fc"


@pytest.mark.parametrize("kind", ["q4_0", "q8_0", "nf4", "int8", "int32", "mxfp4", "iq2_xxs"])
def test_codes_are_told_from_numbers(kind):
    assert is_quantised(kind)
    assert bits(kind) <= 8.5
    assert rounding("float16") < rounding(kind) <= 1.0


@pytest.mark.parametrize("kind", ["float64", "float32", "bfloat16", "float8_e4m3fn", "x" * 9])
def test_numbers_are_told_from_codes(kind):
    assert not is_quantised(kind)


# --- real weights -------------------------------------------------------------------------


def weights(data, name):
    return data / "weights" / f"{name}.safetensors"


def test_a_training_moves_on_and_settles(data):
    """Epochs 0, 40 and 499 of one training: every layer moves, α falls, none is frozen."""
    epochs = [weights(data, f"ulfd_trajectory/RFB_epoch{epoch}") for epoch in ("000", "040", "499")]
    found = auditor.compare(*epochs, to="previous")
    assert [row.changed for row in found.versions] == [0, 52, 52]
    alphas = [row.medians["alpha"].value for row in found.versions]
    assert alphas == sorted(alphas, reverse=True)
    assert not any(
        move.nature is Nature.FROZEN for pair in found.pairs for move in pair.story.moves
    )


def test_layers_that_were_removed_stay_zero_through_fine_tuning(data):
    name = "distiller_resnet20/4D_regularized_5Lremoved"
    found = auditor.compare(weights(data, name), weights(data, f"{name}_finetuned")).story
    assert found.sentences[0] == "17 of 22 layers changed."
    assert "5 of them all zero" in found.sentences[1]


@pytest.mark.wide
def test_two_trainings_are_not_versions_of_one(data):
    one = weights(data, "resnet_cifar10/resnet20")
    two = weights(data, "distiller_resnet20/dense")
    found = auditor.compare(one, two).story
    assert {move.nature for move in found.moves} == {Nature.UNRELATED}


@pytest.mark.wide
def test_a_model_in_half_precision_is_the_same_model(data):
    one = weights(data, "silero_vad/v5_2024-06")
    two = weights(data, "silero_vad/v5_half_fp16")
    found = auditor.compare(one, two).story
    assert found.sentences[0] == "Nothing changed: all 8 layers are the same in every value."
