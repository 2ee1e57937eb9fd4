"""Policy files in a folder of their own."""

from datetime import date

import pytest

from auditor.errors import ConfigError
from auditor.policies import load_policy
from auditor.policies.loading import said

TODAY = date(2026, 3, 2)


@pytest.fixture
def folder(tmp_path):
    """Writes files by name: ``folder(policy="…", base="…")`` makes policy.yaml and base.yaml."""

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def loaded(folder):
    """The policy in policy.yaml, beside the other files."""

    def read(policy, **others):
        return load_policy(str(folder(policy=policy, **others) / "policy.yaml"), TODAY)

    return read


@pytest.fixture
def told(folder):
    """The same with where everything is written."""

    def read(policy, **others):
        return said(str(folder(policy=policy, **others) / "policy.yaml"), TODAY)

    return read


@pytest.fixture
def refused(folder):
    """Lines that say what is wrong, without the folder."""

    def read(policy, **others):
        root = folder(policy=policy, **others)
        with pytest.raises(ConfigError) as caught:
            load_policy(str(root / "policy.yaml"), TODAY)
        return str(caught.value).replace(f"{root}/", "").splitlines()

    return read
