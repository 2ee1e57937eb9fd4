"""NumPy and SciPy write, our reader reads; nothing is unpickled; and files that lie."""

import io
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import safetensors.numpy as st
import scipy.sparse as sp
from hypothesis import given, strategies
from numpy.typing import NDArray

import auditor
from auditor.errors import WeightsError
from auditor.weights import opened
from auditor.weights.numpy_header import DTYPES
from tests.weights.reading import arrays, digests, in_memory, look, source_file, steady, the_failure

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
Archive = Mapping[str, NDArray[Any]]


def npy(values: NDArray[Any], *, version: tuple[int, int] | None = None) -> bytes:
    """What ``numpy.save`` writes."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version, allow_pickle=True)
    return stream.getvalue()


def npz(members: Archive, *, compressed: bool = False) -> bytes:
    """What ``numpy.savez`` writes."""
    stream = io.BytesIO()
    save: Callable[..., None] = np.savez_compressed if compressed else np.savez
    save(stream, **members)
    return stream.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def by_hand(header: str | bytes, values: bytes = b"", version: int = 1) -> bytes:
    text = header if isinstance(header, bytes) else header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + values


def described(descr: str, shape: str, *, fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


# --- arrays ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("code", DTYPES)
def test_what_numpy_writes_comes_back_bit_for_bit(code, version, rng):
    values = rng.integers(0, 2, (3, 4, 2)).astype(code)
    file = in_memory("fc.weight.npy", npy(values, version=version))
    (tensor,) = look(file).tensors
    assert (tensor.name, tensor.dtype, tensor.shape) == ("fc.weight", values.dtype.name, (3, 4, 2))
    found = arrays(file)["fc.weight"]
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


@steady
@given(
    code=strategies.sampled_from([code for code in DTYPES if code[1:] != "1"]),
    order=strategies.sampled_from("<>"),
    layout=strategies.sampled_from("CF"),
    shape=strategies.lists(strategies.integers(0, 4), max_size=4),
)
def test_every_byte_order_and_layout_comes_to_the_same_bytes(code, order, layout, shape):
    plain = np.arange(int(np.prod(shape))).astype(f"<{code}").reshape(shape)
    stored = np.asarray(plain.astype(order + code), order=layout)
    file, same = in_memory("w.npy", npy(stored)), in_memory("w.npy", npy(plain))
    assert digests(file) == digests(same)
    np.testing.assert_array_equal(arrays(file)["w"], plain)


@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_has_its_members_names(compressed, rng):
    members = {
        "fc.weight": rng.standard_normal((30, 20)),
        "conv/kernel": np.asfortranarray(rng.standard_normal((3, 4, 5))).astype(">f4"),
        "scalar": np.float16(2.5),
        "none": np.empty((0, 3), np.int8),
    }
    file = in_memory("model.npz", npz(members, compressed=compressed))
    found = arrays(file)
    assert found.keys() == members.keys()
    for name, values in members.items():
        np.testing.assert_array_equal(found[name], values)


def test_a_compressed_array_says_what_it_takes_in_its_file():
    zeros = {"w": np.zeros((100, 100), np.float32)}
    (tensor,) = look(in_memory("m.npz", npz(zeros, compressed=True))).tensors
    assert tensor.stored is not None
    assert tensor.stored < tensor.nbytes == 40_000
    (plain,) = look(in_memory("m.npz", npz(zeros))).tensors
    assert plain.stored is None


def test_large_compressed_arrays_are_inflated_in_pieces(rng):
    values = rng.integers(0, 256, 2_300_001, dtype=np.uint8)  # several pieces, in and out
    found = arrays(in_memory("m.npz", npz({"w": values}, compressed=True)))
    np.testing.assert_array_equal(found["w"], values)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_same_weights_have_one_digest_and_one_analysis_in_any_format(tmp_path, rng, compressed):
    layers = {
        "fc1.weight": rng.standard_normal((40, 30), dtype=np.float32),
        "fc2.weight": rng.standard_normal((60, 30), dtype=np.float32),
        "fc2.bias": np.ones(60, np.float32),
    }
    st.save_file(layers, tmp_path / "m.safetensors")
    (tmp_path / "m.npz").write_bytes(npz(layers, compressed=compressed))
    names = ("m.safetensors", "m.npz")
    first, second = (digests(source_file(tmp_path / name)) for name in names)
    assert first == second
    one, other = (
        {layer.name: layer.measured.metrics for layer in auditor.analyze(tmp_path / name).layers}
        for name in names
    )
    assert list(one) == ["fc1.weight", "fc2.weight"]
    assert one == other


def test_headers_of_python_2_are_read():
    data = by_hand(described("'<f4'", "(2L, 3L)"), WEIGHT.tobytes())
    np.testing.assert_array_equal(arrays(in_memory("w.npy", data))["w"], WEIGHT)


# --- sparse matrices -------------------------------------------------------------------------

FORMATS = ("csr", "csc", "coo", "bsr", "dia")


def saved(matrix: Any, *, compressed: bool = True) -> bytes:
    stream = io.BytesIO()
    sp.save_npz(stream, matrix, compressed=compressed)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "complex64", "bool"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_sparse_matrix_is_the_matrix_it_stands_for(form, dtype, compressed, rng):
    dense = np.where(rng.random((12, 9)) < 0.2, rng.integers(1, 9, (12, 9)), 0).astype(dtype)
    data = saved(sp.coo_array(dense).asformat(form), compressed=compressed)
    file = in_memory("terms.npz", data)
    (tensor,) = look(file).tensors
    assert (tensor.name, tensor.dtype, tensor.shape) == ("terms", dtype, (12, 9))
    np.testing.assert_array_equal(arrays(file)["terms"], dense)


@pytest.mark.parametrize("blocks", [(2, 3), (4, 1), (12, 9)])
def test_blocks_of_any_shape_are_placed(blocks, rng):
    dense = rng.standard_normal((12, 9)) * (rng.random((12, 9)) < 0.1)
    found = arrays(in_memory("m.npz", saved(sp.bsr_array(dense, blocksize=blocks))))
    np.testing.assert_array_equal(found["m"], dense)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 6)])
def test_diagonals_are_placed_as_scipy_places_them(shape, rng):
    offsets = [-shape[0] + 1, -1, 0, 2, shape[1] - 1]
    values = rng.standard_normal((len(set(offsets)), 9))
    matrix = sp.dia_array((values, sorted(set(offsets))), shape=shape)
    found = arrays(in_memory("m.npz", saved(matrix)))
    np.testing.assert_array_equal(found["m"], matrix.toarray())


def test_entries_of_one_place_are_added_up():
    matrix = sp.coo_array((np.array([1.0, 2.0, 4.0]), ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert arrays(in_memory("m.npz", saved(matrix)))["m"].tolist() == [[0, 3], [4, 0]]


def test_a_matrix_without_entries_is_zero():
    for matrix in (sp.csr_array((3, 4)), sp.dia_array((3, 4)), sp.coo_array((0, 4))):
        assert not arrays(in_memory("m.npz", saved(matrix)))["m"].any()


def test_a_term_document_matrix_is_analysed_like_its_dense_form(tmp_path, rng):
    dense = rng.standard_normal((60, 40)) * (rng.random((60, 40)) < 0.3)
    (tmp_path / "terms.npz").write_bytes(saved(sp.csr_matrix(dense)))
    (tmp_path / "dense.npy").write_bytes(npy(dense))
    (one,) = auditor.analyze(tmp_path / "terms.npz").layers
    (other,) = auditor.analyze(tmp_path / "dense.npy").layers
    assert one.measured.metrics == other.measured.metrics


def test_a_matrix_too_large_when_dense_is_skipped_with_its_size():
    wide = sp.csr_array((100_000, 2_000_000))
    inventory = look(in_memory("m.npz", saved(wide)))
    (skip,) = inventory.skipped
    assert (inventory.tensors, skip.name, skip.shape) == ((), "m", (100_000, 2_000_000))
    assert "dense it takes 1490.1 GiB, at most 1 are read; keep fewer" in skip.reason
    assert (skip.read, inventory.reading.failures) == (False, ())


def sparse(form: str = "csr", **parts: Any) -> bytes:
    """A small matrix of three entries, with some of its arrays replaced."""
    known: dict[str, Any] = {
        "data": np.ones(3),
        "indices": np.array([0, 2, 1], np.int32),
        "indptr": np.array([0, 2, 3], np.int32),
    }
    common = {"format": np.array(form.encode()), "shape": np.array([2, 3])}
    return npz({**common, **known, **parts})


BENT: dict[str, tuple[dict[str, Any], str]] = {
    "an index too large": ({"indices": np.array([0, 3, 1])}, "an index outside its shape"),
    "a negative index": ({"indices": np.array([0, -1, 1])}, "an index outside its shape"),
    "an index of 64 bits": ({"indices": np.array([0, 2**64 - 1, 1], "u8")}, "outside its shape"),
    "an index of halves": ({"indices": np.array([0, 0.5, 1])}, "indices that are no list of whole"),
    "a square of indices": ({"indices": np.zeros((3, 1), int)}, "indices that are no list"),
    "indptr beyond": ({"indptr": np.array([0, 2, 4])}, "an index outside its shape"),
    "indptr far beyond": ({"indptr": np.array([0, 2, 2**62])}, "an index outside its shape"),
    "indptr backwards": ({"indptr": np.array([0, 3, 2])}, "an indptr that does not fit"),
    "indptr far backwards": ({"indptr": np.array([0, -(2**63), 2])}, "an indptr that does not fit"),
    "indptr not from 0": ({"indptr": np.array([1, 2, 3])}, "an indptr that does not fit"),
    "indptr too short": ({"indptr": np.array([0, 3])}, "an indptr that does not fit"),
    "no indptr": ({"indptr": np.array([], int)}, "an indptr that does not fit"),
    "too few values": ({"data": np.ones(2)}, "an indptr that does not fit"),
    "values in rows": ({"data": np.ones((3, 1))}, "values that are no list"),
    "blocks that fill nothing": (
        {"format": np.array(b"bsr"), "data": np.ones((3, 2, 2))},
        "blocks of shape (2, 2)",
    ),
    "blocks outside": (
        {"format": np.array(b"bsr"), "data": np.ones((3, 1, 3)), "indices": np.array([0, 1, 0])},
        "outside its shape",
    ),
}


@pytest.mark.parametrize("bent", BENT)
def test_a_sparse_matrix_that_lies_is_refused_when_it_is_read(bent):
    parts, message = BENT[bent]
    with opened([in_memory("m.npz", sparse(**parts))], "a test") as inventory:
        (tensor,) = inventory.tensors
        with pytest.raises(WeightsError, match=re.escape(message)):
            tensor.read()


def coordinates(**parts: Any) -> bytes:
    known = {"row": np.array([0, 1]), "col": np.array([2, 0]), "data": np.ones(2)}
    return npz({"format": np.array(b"coo"), "shape": np.array([2, 3]), **known, **parts})


def diagonals(**parts: Any) -> bytes:
    known = {"offsets": np.array([0, 1]), "data": np.ones((2, 3))}
    return npz({"format": np.array(b"dia"), "shape": np.array([2, 3]), **known, **parts})


OTHERS = {
    "a row outside": (coordinates(row=np.array([0, 2])), "outside its shape"),
    "a column outside": (coordinates(col=np.array([3, 0])), "outside its shape"),
    "a column too many": (coordinates(col=np.array([2, 0, 0])), "not as many rows and columns"),
    "a diagonal outside": (diagonals(offsets=np.array([0, 2**63 - 1])), "outside its shape"),
    "a diagonal too many": (diagonals(offsets=np.array([0, 1, 2])), "not as many diagonals"),
}


@pytest.mark.parametrize("bent", OTHERS)
def test_other_sparse_formats_are_held_to_their_shape_too(bent):
    data, message = OTHERS[bent]
    with opened([in_memory("m.npz", data)], "a test") as inventory:
        (tensor,) = inventory.tensors
        with pytest.raises(WeightsError, match=message):
            tensor.read()


REFUSED = {
    "unknown format": (sparse("lil"), "format 'lil'; expected one of csr"),
    "a format without its arrays": (sparse("coo"), "format 'coo'; expected one of"),
    "a format of no text": (sparse(format=np.array(3)), "whose format is no short text"),
    "a format without end": (sparse(format=np.array(b"c" * 99)), "whose format is no short text"),
    "a shape of three": (sparse(shape=np.array([2, 3, 4])), "whose shape is not two whole"),
    "a shape of halves": (sparse(shape=np.array([2, 3.0])), "whose shape is not two whole"),
    "a negative shape": (sparse(shape=np.array([-2, 3])), "no whole number"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_sparse_matrix_of_no_known_kind_is_refused(kind):
    data, message = REFUSED[kind]
    assert message in the_failure(in_memory("m.npz", data)).reason


def test_a_format_written_as_text_is_known():
    assert list(arrays(in_memory("m.npz", sparse(format=np.array("csr"))))) == ["m"]


# --- what is no plain number -----------------------------------------------------------------


class Payload:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        import os  # noqa: PLC0415

        return os.system, ("touch /tmp/auditor-was-here",)


def test_an_array_of_objects_is_refused_and_its_pickle_reported():
    data = npy(np.array([Payload(), None], dtype=object))
    reading = look(in_memory("model.npy", data)).reading
    (failure,) = reading.failures
    assert "an object array is a pickle, which is never loaded" in failure.reason
    assert failure.dangerous
    assert "posix.system" in {named.name for named in reading.globals}


@pytest.mark.parametrize("compressed", [False, True])
def test_objects_in_an_archive_are_skipped_and_reported_and_the_rest_is_read(compressed):
    members = {"w": WEIGHT, "evil": np.array([[Payload()]], dtype=object)}
    inventory = look(in_memory("model.npz", npz(members, compressed=compressed)))
    assert [tensor.name for tensor in inventory.tensors] == ["w"]
    (skip,) = inventory.skipped
    assert (skip.name, skip.shape, skip.dtype, skip.read) == ("evil", (1, 1), "O", False)
    assert "never loaded" in skip.reason
    assert [named.name for named in inventory.reading.globals if named.dangerous] == [
        "posix.system"
    ]


def test_objects_inside_a_structure_are_reported_too():
    values = np.array([(1, Payload())], dtype=[("a", "i4"), ("b", "O")])
    reading = look(in_memory("model.npy", npy(values))).reading
    assert reading.failures[0].dangerous


def test_an_archive_of_nothing_but_objects_is_a_failure():
    (failure,) = look(in_memory("m.npz", npz({"x": np.array({}, dtype=object)}))).reading.failures
    assert failure.reason.startswith("holds no array of plain numbers: an object array is a pickle")


def test_a_pickle_beside_the_arrays_is_reported():
    data = zipped({"w.npy": npy(WEIGHT), "extra.pkl": pickle.dumps(Payload())})
    inventory = look(in_memory("model.npz", data))
    assert [named.dangerous for named in inventory.reading.globals] == [True]
    (skip,) = inventory.skipped
    assert (skip.name, skip.reason) == ("extra.pkl", "no array: its name does not end in .npy")


def test_a_pickle_by_the_name_of_an_array_is_reported():
    (failure,) = look(in_memory("model.npy", pickle.dumps(Payload()))).reading.failures
    assert failure.dangerous


OTHER_KINDS = {
    "structured": (np.zeros(2, dtype=[("a", "<i4"), ("b", "<f4")]), "it is a structured array"),
    "text": (np.array(["a", "b"]), "it holds text"),
    "bytes": (np.array([b"a", b"b"]), "it holds text"),
    "raw": (np.zeros((2, 2), dtype="V2"), "as NumPy writes bfloat16; save it as float32"),
    "dates": (np.zeros(2, dtype="M8[s]"), "structured array"),
    "long double": (np.zeros(2, dtype=np.longdouble), "no reader for element type NumPy f16"),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_what_is_no_plain_number_is_skipped_with_a_reason(kind):
    values, message = OTHER_KINDS[kind]
    inventory = look(in_memory("m.npz", npz({"w": WEIGHT, "other": values})))
    assert [tensor.name for tensor in inventory.tensors] == ["w"]
    (skip,) = inventory.skipped
    assert (skip.name, skip.read) == ("other", False)
    assert message in skip.reason
    assert message in the_failure(in_memory("other.npy", npy(values))).reason


# --- files that lie --------------------------------------------------------------------------

HEADER = described("'<f4'", "(2, 3)")
LIES = {
    "nothing but a head": (b"\x93NUMPY\x01\x00", "version 1 to 3"),
    "version 0": (by_hand(HEADER, bytes(24), version=0), "version 1 to 3"),
    "version 4": (by_hand(HEADER, bytes(24), version=4), "version 1 to 3"),
    "a header beyond the file": (by_hand(HEADER)[:-9], "all in the file"),
    "a header without end": (by_hand(" " * 10_001 + HEADER, version=2), "at most 10000"),
    "a header of 4 GB": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"{" * 99, "states a header of 42"),
    "no text": (by_hand(b"\xff\xfe", version=3), "header is damaged"),
    "no Python": (by_hand("{'descr': "), "header is damaged"),
    "a call": (by_hand("__import__('os').system('touch /tmp/auditor-was-here')"), "is damaged"),
    "a comprehension": (by_hand(described("'<f4'", "tuple(x for x in [2, 3])")), "is damaged"),
    "brackets without end": (by_hand("(" * 9_000), "header is damaged"),
    "signs without end": (by_hand("-" * 9_000 + "1"), "header is damaged"),
    "lists without end": (by_hand(described("[" * 90 + "]" * 90, "()")), "structured array"),
    "numbers without end": (by_hand(described("'<f4'", f"({'9' * 9_000},)")), "is damaged"),
    "no dict": (by_hand("['descr', 'fortran_order', 'shape']"), "header is damaged"),
    "a field missing": (by_hand("{'descr': '<f4', 'shape': (2, 3)}"), "header is damaged"),
    "a field more": (by_hand(HEADER[:-1] + "'x': 1}"), "header is damaged"),
    "a set as a key": (by_hand("{[]: 1}"), "header is damaged"),
    "an order of no truth": (
        by_hand(described("'<f4'", "(2, 3)", fortran="1"), bytes(24)),
        "no truth value",
    ),
    "a negative size": (by_hand(described("'<f4'", "(-2, -3)"), bytes(24)), "no whole number"),
    "half a size": (by_hand(described("'<f4'", "(2.0, 3)"), bytes(24)), "no whole number"),
    "a size no tuple": (by_hand(described("'<f4'", "6"), bytes(24)), "no whole number"),
    "65 sizes": (by_hand(described("'<f4'", repr((1,) * 65)), bytes(4)), "at most 64"),
    "sizes that overflow": (by_hand(described("'<f4'", "(2**62,)")), "is damaged"),
    "sizes beyond the file": (by_hand(described("'<f4'", repr((2**62,) * 4))), "it is cut off"),
    "an empty array of no size": (
        by_hand(described("'<f4'", repr((2**62, 2**62, 0)))),
        "longer than any array",
    ),
    "values cut off": (by_hand(HEADER, bytes(23)), "it is cut off"),
    "something appended": (npy(WEIGHT) + npy(WEIGHT), "something was appended"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_a_failure_with_a_sentence(lie):
    data, message = LIES[lie]
    failure = the_failure(in_memory("model.npy", data))
    assert message in failure.reason
    assert (failure.name, failure.dangerous) == ("model.npy", False)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        archive = zipped({"model.npy": data}, method)
        assert message in the_failure(in_memory("model.npz", archive)).reason


def test_headers_made_by_hand_are_good_until_they_are_bent():
    found = arrays(in_memory("w.npy", by_hand(HEADER, WEIGHT.tobytes())))
    np.testing.assert_array_equal(found["w"], WEIGHT)


DEFLATED = zipped({"w.npy": npy(np.arange(5000.0))}, zipfile.ZIP_DEFLATED)


def test_damage_to_compressed_values_is_found():
    start = DEFLATED.index(b"w.npy") + 5
    damaged = bytearray(DEFLATED)
    reasons = set()
    for at in range(start + 3000, start + 3100, 7):
        damaged[at] ^= 0x55
        with opened([in_memory("m.npz", bytes(damaged))], "a test") as inventory:
            (tensor,) = inventory.tensors
            with pytest.raises(WeightsError, match="is damaged") as caught:
                tensor.read()
            reasons.add(str(caught.value)[:20])
        damaged[at] ^= 0x55
    assert reasons


def test_a_member_that_ends_before_its_stated_size_is_refused():
    whole = npy(np.arange(5000.0))
    short = zipped({"w.npy": whole[:-8]}, zipfile.ZIP_DEFLATED)
    at = short.rindex(b"PK\x01\x02") + 24
    longer = short[:at] + struct.pack("<I", len(whole)) + short[at + 4 :]
    with opened([in_memory("m.npz", longer)], "a test") as inventory:
        (tensor,) = inventory.tensors
        with pytest.raises(WeightsError, match="ends before its stated size"):
            tensor.read()


def test_a_bomb_is_refused_before_it_is_inflated():
    bomb = zipped({"w.npy": npy(np.zeros(10_000_000, np.int64))}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    failure = the_failure(in_memory("m.npz", bomb))
    assert "states 80000128 bytes inside an archive of" in failure.reason
    assert "no weights are compressed so well" in failure.reason


def test_an_archive_of_something_else_says_so():
    failure = the_failure(in_memory("m.npz", zipped({"readme.txt": b"hello"})))
    assert "without any NumPy array" in failure.reason


def test_more_arrays_than_any_model_has_are_refused():
    data = zipped({f"{i}.npy": b"" for i in range(10_001)})
    assert (
        "has 10001 arrays; expected at most 10000" in the_failure(in_memory("m.npz", data)).reason
    )


def test_names_are_taken_as_they_are():
    names = ["<script>", "\u202egnp", "a b"]
    data = zipped({f"{name}.npy": npy(WEIGHT) for name in names})
    assert {tensor.name for tensor in look(in_memory("m.npz", data)).tensors} == set(names)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd"])
def test_an_archive_with_a_name_that_leads_out_is_refused(name):
    data = zipped({"a.npy": npy(WEIGHT), f"{name}.npy": npy(WEIGHT)})
    assert "a name that leads out of its folder" in the_failure(in_memory("m.npz", data)).reason


@pytest.mark.parametrize("whole", [npy(WEIGHT), npz({"a": WEIGHT}), DEFLATED], ids=len)
@steady
@given(data=strategies.data())
def test_cut_off_anywhere_it_is_a_failure(whole, data):
    cut = data.draw(strategies.integers(0, len(whole) - 1))
    name = "m.npy" if whole.startswith(b"\x93") else "m.npz"
    assert the_failure(in_memory(name, whole[:cut])).reason


@pytest.mark.parametrize("whole", [npy(WEIGHT), sparse(), DEFLATED], ids=len)
@steady
@given(data=strategies.data())
def test_a_changed_byte_is_refused_or_read_within_the_file(whole, data):
    at = data.draw(strategies.integers(6, len(whole) - 1))  # before it stands what file it is
    changed = bytearray(whole)
    changed[at] = data.draw(strategies.integers(0, 255))
    name = "m.npy" if whole.startswith(b"\x93") else "m.npz"
    with opened([in_memory(name, bytes(changed))], "a test") as inventory:
        for tensor in inventory.tensors:
            with suppress(WeightsError):
                assert len(tensor.read()) == tensor.nbytes
