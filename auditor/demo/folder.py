"""The folder the demo works in: made afresh by every run, never anybody else's."""

import shutil
from pathlib import Path

from auditor.errors import UsageError, translate

MARK = ".auditor-demo"
CONFIG = """\
# Written by `auditor demo`; see what a second look finds: auditor once --config <this file>
ledger: sqlite:///auditor.db
data: data
reports: reports
policy: recommended
baseline: ["alias:champion", previous]
sources:
  - {kind: mlflow, uri: "sqlite:///mlflow.db", models: [digits], history: all}
sinks:
  - {kind: files}
  - {kind: mlflow}
"""


def prepare(out: Path) -> Path:
    """Make an empty demo folder with its config.yaml; an earlier demo in it is removed.

    Returns
    -------
    Where config.yaml is, absolute.

    Raises
    ------
    UsageError
        If the folder holds anything that no demo made, or cannot be written.
    """
    folder = out.resolve()
    with translate(OSError, to=UsageError, doing=f"preparing {out} for the demo"):
        if (folder / MARK).is_file():
            shutil.rmtree(folder)
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{out} is there already and no demo made it; name a new folder with --out"
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text("made by `auditor demo`, which may remove this folder\n")
        config = folder / "config.yaml"
        config.write_text(CONFIG, encoding="utf-8")
    return config
