"""What MLflow writes for a PyTorch model, and how transformers lay out theirs."""

import json

import mlflow.pytorch
import numpy as np
import pytest
import safetensors.torch as st
import torch
from mlflow.pytorch import pickle_module

from auditor.weights import role_of
from tests.weights.reading import Net, digests, in_memory, look, net, saved, source_files

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
KEPT = [
    *("strided", "emb.weight", "fc.weight", "fc.bias"),
    *("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"),
]


def plain(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: model.state_dict()[name].contiguous() for name in KEPT}


@pytest.mark.parametrize(
    ("serialization", "file"), [("pt2", "data/model.pt2"), ("pickle", "data/model.pth")]
)
def test_a_logged_model_has_the_digests_of_its_state_dict(serialization, file, tmp_path):
    model = net()
    mlflow.pytorch.save_model(
        model,
        tmp_path / "model",
        serialization_format=serialization,
        input_example=np.zeros((2, 8), np.float32),
        pip_requirements=[],
    )
    files = source_files(tmp_path / "model")
    inventory = look(*files)
    assert [record.name for record in inventory.reading.files] == [file]
    assert inventory.reading.failures == ()
    assert not [g for g in inventory.reading.globals if g.dangerous]
    expected = digests(in_memory("model.safetensors", st.save(plain(model))))
    assert digests(*files) == expected


def test_a_saved_state_dict_is_found(tmp_path):
    mlflow.pytorch.save_state_dict(net().state_dict(), tmp_path)
    assert sorted(digests(*source_files(tmp_path))) == sorted(KEPT)


def test_a_class_that_only_the_pickle_knows_is_read():
    local = type("Local", (Net,), {"__module__": "__main__", "twice": lambda _self: 2})
    data = saved(local(), pickle_module=pickle_module)
    inventory = look(in_memory("model.pth", data))
    assert sorted(tensor.name for tensor in inventory.tensors) == sorted(KEPT)
    assert inventory.reading.failures == ()
    named = {g.name: g.dangerous for g in inventory.reading.globals}
    assert named["cloudpickle.cloudpickle._make_skeleton_class"] is False
    assert not any(named.values())


def test_a_sharded_model_in_a_folder_is_one_model(tmp_path):
    model = net()
    shards = [dict(list(plain(model).items())[:4]), dict(list(plain(model).items())[4:])]
    folder = tmp_path / "model"
    folder.mkdir()
    places = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-00002.safetensors"
        st.save_file(shard, folder / name)
        places.update(dict.fromkeys(shard, name))
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text("{}")
    files = source_files(tmp_path)
    assert look(*files).reading.failures == ()
    assert digests(*files) == digests(in_memory("model.safetensors", st.save(plain(model))))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("data/model.pt2", "weights"),
        ("data/model.pth", "weights"),
        ("state_dict.pth", "weights"),
        ("model/model-00001-of-00003.safetensors", "weights"),
        ("artifacts/net.safetensors", "weights"),
        ("weights/RESNET.PTH.TAR", "weights"),
        ("model.h5", "weights"),
        ("model/model.safetensors.index.json", "index"),
        ("pytorch_model.bin.index.json", "index"),
        ("model/config.json", "config"),
        ("MLmodel", "config"),
        ("README.md", "card"),
        ("components/tokenizer/tokenizer.json", "other"),
        ("components/image_processor/x.safetensors", "other"),
        ("data/pickle_module_info.txt", "other"),
        ("requirements.txt", "other"),
        ("optimizer.pt", "other"),
        ("rng_state_0.pth", "other"),
        ("training_args.bin", "other"),
        ("python_model.pkl", "other"),
        ("input_example.json", "other"),
        ("serving_input_example.json", "other"),
        (".model.safetensors", "other"),
    ],
)
def test_the_role_of_a_file_is_told_by_its_name(name, role):
    assert role_of(name) == role
