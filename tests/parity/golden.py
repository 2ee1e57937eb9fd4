"""Tables that the reference tool made of real weights, read as it would answer."""

import csv
from pathlib import Path

from safetensors.numpy import load_file

from tests.parity.agreement import Row, Tensors

TEXTS = {"name", "longname", "layer_type", "status", "warning", "has_esd", "method", "b_shape"}
MODELS = [
    "distiller_resnet20/4D_regularized_5Lremoved",
    "distiller_resnet20/4D_regularized_5Lremoved_finetuned",
    "distiller_resnet20/ch_regularized_dense",
    "distiller_resnet20/channel_regularized_resnet20",
    "distiller_resnet20/channel_regularized_resnet20_finetuned",
    "distiller_resnet20/dense",
    "dtln/dtln_norm_40h",
    "kws_mcu/CNN_S",
    "kws_mcu/DNN_S",
    "kws_mcu/DS_CNN_S",
    "kws_mcu/GRU_S",
    "mlperf_tiny/ad_autoencoder",
    "mlperf_tiny/ic_resnet8",
    "resnet_cifar10/resnet20",
    "resnet_cifar10/resnet56",
    "silero_vad/v5_2024-06",
    "silero_vad/v5_half_fp16",
    "stories260k/stories260K",
    "ulfd_trajectory/RFB_epoch000",
    "ulfd_trajectory/RFB_epoch040",
    "ulfd_trajectory/RFB_epoch499",
]
DISTILLER = [model for model in MODELS if model.startswith("distiller_resnet20/")]
CONVOLUTIONAL = [
    *DISTILLER,
    "kws_mcu/CNN_S",
    "kws_mcu/DS_CNN_S",
    "mlperf_tiny/ad_autoencoder",
    "mlperf_tiny/ic_resnet8",
    "resnet_cifar10/resnet20",
    "resnet_cifar10/resnet56",
    "ulfd_trajectory/RFB_epoch000",
    "ulfd_trajectory/RFB_epoch040",
    "ulfd_trajectory/RFB_epoch499",
]
RESNETS = ["resnet_cifar10/resnet20", "resnet_cifar10/resnet56"]
RANDOMISED = [
    "distiller_resnet20/4D_regularized_5Lremoved",
    "distiller_resnet20/channel_regularized_resnet20",
    "distiller_resnet20/dense",
    "dtln/dtln_norm_40h",
    "kws_mcu/DNN_S",
    "mlperf_tiny/ad_autoencoder",
    "mlperf_tiny/ic_resnet8",
    *RESNETS,
    "silero_vad/v5_2024-06",
    "stories260k/stories260K",
    "ulfd_trajectory/RFB_epoch000",
    "ulfd_trajectory/RFB_epoch040",
    "ulfd_trajectory/RFB_epoch499",
]


def weights(data: Path, model: str) -> Tensors:
    """Tensors of a model."""
    tensors: Tensors = load_file(data / "weights" / f"{model}.safetensors")
    return tensors


def table(data: Path, name: str) -> list[Row]:
    """Rows of a golden table, ``<model>__<option>`` or ``<model>__VS__<model>__<method>``."""
    with (data / "golden" / f"{name}.csv").open(encoding="utf-8") as lines:
        return [
            {key: text if key in TEXTS else float(text or "nan") for key, text in row.items()}
            for row in csv.DictReader(lines)
        ]
