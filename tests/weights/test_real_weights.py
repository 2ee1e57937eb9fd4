"""Published weights: the safetensors package is the oracle, and originals hold the same."""

import numpy as np
import pytest
import safetensors.numpy as st

from tests.weights.reading import arrays, digests, look, source_file, source_files, the_failure

pytestmark = pytest.mark.data


def test_every_safetensors_file_has_what_the_library_reads(data):
    paths = sorted((data / "weights").rglob("*.safetensors"))
    assert len(paths) > 15
    for path in paths:
        expected = st.load_file(path)
        found = arrays(source_file(path))
        assert found.keys() == expected.keys(), path.name
        assert all(np.array_equal(found[name], expected[name]) for name in found), path.name


ORIGINALS = {
    "resnet_cifar10/original/resnet20-12fca82f.th": "resnet_cifar10/resnet20",
    "distiller_resnet20/original/checkpoint_trained_dense.pth.tar": "distiller_resnet20/dense",
    "ulfd_trajectory/original/RFB-Epoch-0-Loss-6.496268930889311.pth": (
        "ulfd_trajectory/RFB_epoch000"
    ),
    "ulfd_trajectory/original/RFB-Epoch-499-Loss-2.6552731423150924.pth": (
        "ulfd_trajectory/RFB_epoch499"
    ),
}


@pytest.mark.parametrize("original", ORIGINALS)
def test_an_old_pytorch_file_has_the_tensors_of_its_conversion(data, original):
    root = data / "weights"
    converted = source_file(root / f"{ORIGINALS[original]}.safetensors")
    assert digests(source_file(root / original)) == digests(converted)


def test_a_raw_format_nobody_can_guess_is_unknown(data):
    path = data / "weights/stories260k/original/stories260K.bin"
    assert the_failure(source_file(path)).reason.startswith("unknown format")


def test_formats_that_are_not_read_say_what_to_do(data):
    files = [
        source_file(path) for path in (data / "weights").rglob("original/*") if path.suffix == ".pb"
    ]
    failures = look(*files).reading.failures
    assert len(failures) == len(files) == 2
    assert all("TensorFlow graph" in failure.reason for failure in failures)


def test_models_in_one_folder_do_not_mix_up_their_names(data):
    inventory = look(*source_files(data / "weights/resnet_cifar10"))
    names = [tensor.name for tensor in inventory.tensors]
    assert len(names) == len(set(names)) == 97 + 97 + 277
