"""Pickles that want to run code: nothing runs, and what they asked for is reported."""

import builtins
import os
import pickle
import pickletools
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from auditor.weights.danger import is_dangerous
from auditor.weights.pickles import EFFECTS, IGNORED, LITERALS, Node, unpickle
from tests.weights.archives import export, rezipped, unzipped, weight
from tests.weights.reading import in_memory, look, net, saved, steady, the_failure


class Bomb:
    """Calls a function with arguments when it is loaded by pickle."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def zipped(data: bytes, **members: bytes) -> bytes:
    """A torch.save archive around a pickle."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in {"data.pkl": data, "version": b"3", **members}.items():
            archive.writestr(f"archive/{name}", content)
    return stream.getvalue()


def saved_pickle() -> bytes:
    """The pickle of a plain state dict."""
    return unzipped(saved({"w": torch.ones(2)}))["data.pkl"]


BOMBS: dict[str, tuple[Callable[[Path], Bomb], set[str]]] = {
    "os.system": (lambda p: Bomb(os.system, f"touch {p}"), {f"{os.name}.system", "posix.system"}),
    "exec": (lambda p: Bomb(exec, f"open({str(p)!r}, 'w')"), {"__builtin__.exec"}),
    "eval": (lambda p: Bomb(eval, f"open({str(p)!r}, 'w')"), {"__builtin__.eval"}),
    "open": (lambda p: Bomb(open, str(p), "w"), {"io.open", "_io.open"}),
    "subprocess": (
        lambda p: Bomb(subprocess.call, ["touch", str(p)]),
        {"subprocess.call", "commands.call"},
    ),
    "getattr": (lambda p: Bomb(getattr, str(p), "touch"), {"__builtin__.getattr"}),
    "torch.load": (lambda p: Bomb(torch.load, str(p)), {"torch.serialization.load"}),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("wrap", [saved, lambda v: saved(v, _use_new_zipfile_serialization=False)])
def test_a_bomb_in_a_checkpoint_does_not_go_off_and_is_named(bomb, wrap, tmp_path):
    target = tmp_path / "executed"
    make, names = BOMBS[bomb]
    data = wrap({"w": torch.ones(2, 2), "x": make(target)})
    inventory = look(in_memory("model.pth", data))
    assert not target.exists()
    assert [tensor.name for tensor in inventory.tensors] == ["w"]  # what is plain is still read
    (dangerous,) = [named for named in inventory.reading.globals if named.dangerous]
    assert dangerous.file == "model.pth"
    assert dangerous.name in names


def test_the_bombs_of_these_tests_do_go_off_where_pickle_is_trusted(tmp_path):
    target = tmp_path / "executed"
    pickle.loads(pickle.dumps(Bomb(os.system, f"touch {target}")))  # noqa: S301 - the point of it
    assert target.exists()


@pytest.mark.parametrize("name", ["model.pkl", "model.bin", "model.pt", "model.h5.pickle"])
@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_is_a_dangerous_failure_that_names_its_bomb(name, protocol, tmp_path):
    data = pickle.dumps(Bomb(os.system, f"touch {tmp_path / 'x'}"), protocol)
    failure = the_failure(in_memory(name, data))
    assert failure.dangerous
    assert "pickle" in failure.reason
    (named,) = look(in_memory(name, data)).reading.globals
    assert (named.name, named.dangerous) == ("posix.system", True)
    assert not (tmp_path / "x").exists()


def test_a_bomb_behind_a_harmless_pickle_is_found():
    data = pickle.dumps(1) + pickle.dumps([2]) + pickle.dumps(Bomb(eval, "1"))
    assert the_failure(in_memory("model.bin", data)).dangerous


def test_a_bomb_in_a_file_whose_weights_cannot_be_read_is_reported():
    failure = the_failure(in_memory("model.pt", zipped(pickle.dumps(Bomb(os.system, "true")))))
    assert failure.dangerous
    assert "holds no tensor" in failure.reason


def test_a_bomb_before_the_damage_is_reported():
    data = pickle.dumps(Bomb(os.system, "true"), 2)[:-3]
    failure = the_failure(in_memory("model.pt", zipped(data)))
    assert failure.dangerous
    assert "pickle" in failure.reason


def inside(**members: bytes) -> bytes:
    """A good export with further members."""
    return rezipped({**unzipped(export({"w": weight()}, weight_0=bytes(24))), **members})


BOMB = pickle.dumps(Bomb(os.system, "true"))
BESIDE = {  # where an archive that is read may hide a pickle that its loader loads
    "sample inputs": ("m.pt2", inside(**{"data/sample_inputs/model.pt": zipped(BOMB)})),
    "custom objects": ("m.pt2", inside(**{"data/constants/custom_obj_0": BOMB})),
    "a pickled weight": (
        "m.pt2",
        rezipped(
            unzipped(export({"w": weight(), "p": {**weight("p"), "use_pickle": True}}, p=BOMB))
            | {"data/weights/weight_0": bytes(24)}
        ),
    ),
    "protocol 0": ("m.pt2", inside(**{"data/extra.pkl": b"cposix\nsystem\n(S'true'\ntR."})),
    "constants of TorchScript": ("m.pt", zipped(saved_pickle(), **{"constants.pkl": BOMB})),
    "an archive in an archive": ("m.bin", rezipped({"inner.pt": rezipped({"a.pt": zipped(BOMB)})})),
    "deflated": ("m.bin", rezipped({"model.pkl": BOMB}, method=zipfile.ZIP_DEFLATED)),
    "behind a broken index": (
        "m.pt2",
        inside(**{"data/weights/model_weights_config.json": b"{", "data/constants/a": BOMB}),
    ),
}


@pytest.mark.parametrize("place", BESIDE)
def test_a_bomb_beside_the_weights_in_an_archive_is_found(place):
    name, data = BESIDE[place]
    named = look(in_memory(name, data)).reading.globals
    assert [found.name for found in named if found.dangerous] == ["posix.system"]


def test_the_archives_of_these_tests_are_read_without_their_bombs():
    assert len(look(in_memory("m.pt2", inside())).tensors) == 1
    inputs = zipped(saved_pickle())
    harmless = look(in_memory("m.pt2", inside(**{"data/sample_inputs/model.pt": inputs})))
    assert len(harmless.tensors) == 1
    assert not [found for found in harmless.reading.globals if found.dangerous]


def test_archives_in_archives_without_end_are_a_failure():
    data = zipped(BOMB)
    for _ in range(8):
        data = rezipped({"inner.pt": data})
    assert "archives in archives" in the_failure(in_memory("model.pt", data)).reason


def test_a_deflated_bomb_that_fills_the_memory_is_a_failure():
    members = {f"{number}.pkl": bytes(12 << 20) for number in range(3)}
    data = rezipped(members, method=zipfile.ZIP_DEFLATED)
    assert len(data) < 100_000
    assert "bytes of pickles" in the_failure(in_memory("model.pt", data)).reason


OPCODES = {  # each way a pickle can import and call something
    "GLOBAL, REDUCE": b"cos\nsystem\n(S'true'\ntR.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93(S'true'\ntR.",
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "NEWOBJ": b"\x80\x02cos\nsystem\n(S'true'\nt\x81.",
    "NEWOBJ_EX": b"\x80\x04cos\nsystem\n(S'true'\nt}\x92.",
    "BUILD": b"cos\nsystem\n}S'a'\nS'b'\nsb.",
    "dropped": b"cos\nsystem\n0N.",
}


@pytest.mark.parametrize("way", OPCODES)
def test_every_way_to_import_is_seen(way):
    failure = the_failure(in_memory("model.pt", zipped(OPCODES[way])))
    assert failure.dangerous


def test_extension_codes_are_reported_as_unknown():
    (named,) = look(in_memory("m.pt", zipped(b"\x82\x07."))).reading.globals
    assert named.name == "copyreg.extension_7"


def test_every_opcode_there_is_has_an_effect_here():
    known = {"STOP", *IGNORED, *LITERALS, *EFFECTS}
    assert {opcode.name for opcode in pickletools.opcodes} == known


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "exec"),
        ("builtins", "getattr"),
        ("os.path", "join"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("torch._utils", "sys.modules"),
        ("torch.serialization", "os.system"),
        ("collections", "abc.sys.exit"),
        ("builtins", "__import__"),
        ("torch.utils", "cpp_extension.load"),
        ("functools", "reduce"),
        ("numpy", "f2py.diagnose.run_command"),
        ("importlib", "import_module"),
    ],
)
def test_names_that_can_run_code_are_dangerous(module, name):
    assert is_dangerous(module, name)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("collections", "OrderedDict"),
        ("torch", "FloatStorage"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch.serialization", "_get_layout"),
        ("torch.nn.modules.linear", "Linear"),
        ("__main__", "Net"),
        ("models.system", "System"),
        ("_codecs", "encode"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("cloudpickle.cloudpickle", "_make_skeleton_class"),
        ("builtins", "set"),
        ("functools", "partial"),
    ],
)
def test_names_of_ordinary_models_are_not_dangerous(module, name):
    assert not is_dangerous(module, name)


MODULES = [
    net(),
    nn.LSTM(2, 2),
    nn.TransformerEncoderLayer(8, 2),
    nn.DataParallel(nn.Conv2d(1, 2, 3)),
]


@pytest.mark.parametrize("model", MODULES, ids=lambda model: type(model).__name__)
def test_an_ordinary_module_names_nothing_dangerous(model):
    named = look(in_memory("m.pt", saved(model))).reading.globals
    assert any(g.name.startswith("torch.nn.modules") for g in named)
    assert not [g.name for g in named if g.dangerous]


def nested(depth: int, open_: bytes, close: bytes) -> bytes:
    return b"\x80\x02" + open_ * depth + b"N" + close * depth + b"."


NESTED, DAMAGED, NOTHING = "nested too deeply or too widely", "damaged", "holds no tensor"
LAUGHS = b"".join(b"(" + b"h\0" * 9 + b"lq\0" for _ in range(40))
ENDLESS = {
    "deep lists": (nested(200_000, b"(", b"l"), NESTED),
    "a list in itself": (b"\x80\x02]q\x00h\x00a.", NESTED),
    "a dict in itself": (b"\x80\x02}q\x00X\x01\0\0\0ah\x00s.", NESTED),
    "billion laughs": (b"\x80\x02]q\x00" + LAUGHS + b".", NESTED),
    "deep tuples as keys": (
        b"\x80\x02}" + b"(" * 100_000 + b"N" + b"t" * 100_000 + b"Ns.",
        NOTHING,
    ),
    "hash of a pyramid": (b"\x80\x02}N" + b"2\x86" * 60 + b"Ns.", NOTHING),
    "a long number as a key": (pickle.dumps({10**5000: {10**5000: None}}, 2), NOTHING),
    "a memo far away": (b"\x80\x02Nr\xff\xff\xff\x7f.", NOTHING),
    "a huge string": (b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b"x.", DAMAGED),
    "a huge bytearray": (b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b"x.", DAMAGED),
    "a huge integer": (b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"x.", DAMAGED),
    "many instructions": (b"\x80\x02" + b"N0" * 800_000 + b"N.", "more than 1500000 instr"),
    "many names": (b"".join(b"cx\ny%d\n0" % i for i in range(10_001)) + b"N.", "more than 10000"),
}


@pytest.mark.parametrize("trap", ENDLESS)
def test_a_pickle_that_never_ends_or_fills_the_memory_is_a_failure(trap):
    data, message = ENDLESS[trap]
    assert message in the_failure(in_memory("model.pt", zipped(data))).reason


@pytest.mark.parametrize("data", [b"", b".", b"\x80", b"0.", b"t.", b"h\x07.", b"Nb.", b"s."])
def test_a_pickle_that_makes_no_sense_is_a_failure(data):
    assert "pickle" in the_failure(in_memory("m.pt", zipped(data))).reason


@steady
@given(st.binary(max_size=60))
def test_no_bytes_make_the_machine_raise(data):
    unpickled = unpickle(BytesIO(data))
    assert unpickled.problem or b"." in data  # without the opcode STOP there is no end


@steady
@given(st.data())
def test_a_damaged_checkpoint_never_raises(data):
    whole = bytearray(saved({"w": torch.ones(2, 3)}))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    inventory = look(in_memory("model.pt", bytes(whole)))
    assert inventory.reading.failures or all(t.nbytes <= 10**7 for t in inventory.tensors)


@pytest.mark.parametrize("old", [False, True])
def test_cut_off_anywhere_a_checkpoint_is_a_failure(old):
    whole = saved({"w": torch.ones(2, 3)}, _use_new_zipfile_serialization=not old)
    for length in range(1, len(whole), 7):
        assert the_failure(in_memory("model.pt", whole[:length])).reason


def test_a_number_too_long_to_print_beside_the_weights_is_passed_over():
    file = in_memory("m.pt", saved({"w": torch.ones(2), 10**5000: torch.ones(2)}))
    assert [tensor.name for tensor in look(file).tensors] == ["w"]


def test_storage_keys_of_an_old_file_that_are_no_text_are_a_failure():
    old = saved({"w": torch.ones(2)}, _use_new_zipfile_serialization=False)
    keys = old.rindex(b"\x80\x02]")
    data = old[:keys] + nested(50_000, b"(", b"l") + old[keys:]
    assert "storage of unknown kind" in the_failure(in_memory("m.pt", data)).reason


def test_objects_of_a_pickle_stay_inert():
    value = unpickle(BytesIO(pickle.dumps({"a": OrderedDict(b=Path("x"))}, 2))).value
    assert isinstance(value, Node)
    (pair,) = value.items
    assert pair[0] == "a"
    assert isinstance(pair[1], Node)


def test_replaying_a_pickle_imports_nothing():
    name = "antigravity"  # opens a browser when imported
    assert name not in sys.modules
    unpickle(BytesIO(b"c" + name.encode() + b"\nfly\n."))
    assert name not in sys.modules


def test_no_builtin_is_called(monkeypatch):
    called: list[str] = []
    monkeypatch.setattr(builtins, "eval", called.append)
    look(in_memory("m.pt", zipped(b"c__builtin__\neval\n(S'1'\ntR.")))
    assert called == []
