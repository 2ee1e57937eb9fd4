"""Spectra while a model is trained: our metrics in the running MLflow run, every n steps.

- ``auditor.callbacks.transformers.AuditorCallback`` for the Trainer of Hugging Face
- ``auditor.callbacks.lightning.AuditorCallback`` for Lightning

Both only read: weights, gradients, modes and random states stay as they were. What takes too
large a share of the training's time is done less often. Neither library is imported before
its file is.
"""
