"""Registers one version of every kind at ``MLFLOW_TRACKING_URI``; run as a script.

Arguments: the names for the pt2, the pickled, the raw and the transformers model.
"""

import sys
from pathlib import Path

import mlflow
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(32, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def pytorch(pt2: str, pickled: str) -> None:
    """As ``mlflow.pytorch.log_model`` writes it by default, and as it did before."""
    example = np.ones((2, 32), np.float32)
    needs = {"pip_requirements": ["torch"]}
    mlflow.pytorch.log_model(
        network(), name="net", registered_model_name=pt2, input_example=example, **needs
    )
    mlflow.pytorch.log_model(
        network(), name="net", registered_model_name=pickled, serialization_format="pickle", **needs
    )


def raw(name: str) -> None:
    """A state dict as an artifact of a run, and a version that points there."""
    client = mlflow.MlflowClient()
    save_file(network().state_dict(), "model.safetensors")
    with mlflow.start_run() as run:
        mlflow.log_artifact("model.safetensors", "weights")
    client.create_registered_model(name)
    client.create_model_version(name, f"runs:/{run.info.run_id}/weights", run.info.run_id)


def transformers(name: str) -> None:
    """A small BERT with its tokenizer."""
    Path("vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]))
    config = BertConfig(
        vocab_size=64,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=32,
    )
    parts = {
        "model": BertForSequenceClassification(config),
        "tokenizer": BertTokenizer(vocab_file="vocab.txt"),
    }
    mlflow.transformers.log_model(
        parts,
        name="bert",
        registered_model_name=name,
        task="text-classification",
        pip_requirements=["transformers"],
    )


if __name__ == "__main__":
    pt2_name, pickled_name, raw_name, bert_name = sys.argv[1:]
    pytorch(pt2_name, pickled_name)
    raw(raw_name)
    transformers(bert_name)
