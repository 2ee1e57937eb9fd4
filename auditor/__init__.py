"""Watch model registries and audit the spectra of every new version's weights."""

__version__ = "0.1.0"

METRIC_SET = 1  # raised when a measured number would change
