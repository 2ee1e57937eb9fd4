"""config.yaml as one frozen, fully checked object, and the parts it names.

`load` reads the file, `parts` builds the sources and sinks it names, `schema` describes
what it may say. Every problem is a `ConfigError` that gives file, line, key, and what fits.
"""

from auditor.config.building import Parts, parts
from auditor.config.loading import load, schema
from auditor.config.models import Config, Limits, Plugin

__all__ = ["Config", "Limits", "Parts", "Plugin", "load", "parts", "schema"]
