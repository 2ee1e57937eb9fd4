from dataclasses import replace

import pytest

from auditor.checks.base import Case
from auditor.checks.integrity import CHECKS, CustomCode, UnsafePickle, UnverifiedBytes
from auditor.policy.levels import LEVELS
from auditor.records import FileRecord, Level, PickleGlobal, Reading, Severity
from tests.render.factory import layer


@pytest.mark.parametrize("dangerous", [True, False])
def test_a_file_that_names_dangerous_code_is_one_finding(dangerous):
    names = tuple(PickleGlobal("m.pt", n, dangerous) for n in ("posix.system", "builtins.eval"))
    reading = Reading((), 0, globals=(*names, PickleGlobal("m.pt", "net.Net", dangerous=False)))
    findings = list(UnsafePickle()(Case((), reading=reading)))
    assert len(findings) == dangerous
    if dangerous:
        assert findings[0].evidence["globals"] == ["builtins.eval", "posix.system"]
        assert "net.Net" not in findings[0].message


def named(*names, file="m.pt", dangerous=False):
    found = tuple(PickleGlobal(file, name, dangerous) for name in names)
    return Case((), reading=Reading((), 0, globals=found))


@pytest.mark.parametrize(
    "name",
    [
        "torch._utils._rebuild_tensor_v2",
        "torch.nn.modules.linear.Linear",
        "collections.OrderedDict",
        "numpy._core.multiarray.scalar",
        "builtins.set",
        "__torch__.net.Net",
        "transformers.training_args.TrainingArguments",
        "copyreg._reconstructor",
    ],
)
def test_names_of_common_frameworks_are_no_finding(name):
    assert not list(CustomCode()(named(name)))


@pytest.mark.parametrize(
    "name", ["mymodel.Net", "__main__.Net", "torchy.Net", "copyreg.extension_7"]
)
def test_a_class_of_somebodys_own_is_information_and_gates_nothing(name):
    (finding,) = CustomCode()(named("torch.nn.modules.linear.Linear", name))
    assert finding.severity is Severity.INFO
    assert finding.message == f"m.pt names {name}"
    assert all(level is Level.OFF for level in LEVELS["custom_code"])


def test_a_dangerous_name_is_told_by_the_check_that_gates():
    assert not list(CustomCode()(named("posix.system", dangerous=True)))


@pytest.mark.parametrize("check", [CustomCode(), UnsafePickle()])
def test_thousands_of_names_are_one_short_sentence(check):
    dangerous = isinstance(check, UnsafePickle)
    (finding,) = check(named(*(f"a.b{i}" for i in range(5000)), dangerous=dangerous))
    assert len(finding.message) < 1000
    assert "more" in finding.message
    assert finding.value == 5000


# --- bytes that nobody vouches for --------------------------------------------------------------


def file(name, *, verified):
    return FileRecord(name, 10, "0" * 64, verified)


def test_files_read_in_parts_are_named_with_their_share_of_the_parameters():
    held, unheld = layer("fc1", m=32), replace(layer("fc2", m=32), verified=False)
    files = (file("a.safetensors", verified=True), file("b.safetensors", verified=False))
    (finding,) = UnverifiedBytes()(Case((held, unheld), reading=Reading(files, 20)))
    assert finding.layer is None
    assert "50% of the measured parameters" in finding.message
    assert finding.message.endswith("b.safetensors")
    assert (finding.value, finding.evidence["share"]) == (1.0, 0.5)
    assert finding.severity is Severity.INFO


def test_verified_files_are_no_finding():
    reading = Reading((file("a.safetensors", verified=True),), 20)
    assert not list(UnverifiedBytes()(Case((layer("fc"),), reading=reading)))


def test_a_thousand_unverified_files_are_one_sentence():
    files = tuple(file(f"model-{i}.safetensors", verified=False) for i in range(1000))
    (finding,) = UnverifiedBytes()(Case((), reading=Reading(files, 0)))
    assert finding.message.endswith("and 995 more")
    assert len(finding.evidence["files"]) == 100


def test_healthy_layers_have_none_of_these():
    case = Case((layer("fc1"), layer("fc2", 1)))
    assert not [f for check in CHECKS for f in check()(case)]
