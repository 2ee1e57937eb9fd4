"""Find and build what a configuration names.

The folder is the registry: ``kind: folder`` under ``sources:`` is the class ``Folder`` in
``auditor/sources/folder.py``. The fields of that frozen dataclass are its settings. A file
is imported when a configuration names its kind, so nobody pays for a registry not in use.
"""

from auditor.plugins.building import Room, build, kinds, plugin
from auditor.plugins.describe import describe
from auditor.plugins.place import Place

__all__ = ["Place", "Room", "build", "describe", "kinds", "plugin"]
