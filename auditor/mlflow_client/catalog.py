"""Databricks' Unity Catalog as a registry."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from auditor.mlflow_client import is_catalog
from auditor.mlflow_client.forms import age
from auditor.mlflow_client.marks import Mark
from auditor.mlflow_client.registry import PAGE, Looked, Recent, Registry, every


class Catalog(Registry):
    """The registered models of Databricks' Unity Catalog, ``catalog.schema.model``.

    It sorts nothing and filters versions by the name of one model only, so every look is a
    full one: a request for each thousand models and one for each model watched. Written
    after Databricks' documentation and mlflow's own client; nobody has run it yet.
    """

    __slots__ = ()

    def head(self, now: int) -> Mark:  # noqa: ARG002 - there is nothing to ask for
        """A mark that says nothing."""
        return Mark()

    def recent(self, mark: Mark, now: int) -> Recent:  # noqa: ARG002
        """Nothing: it cannot be asked for, so a full look is due each time."""
        return Recent((), (), replace(mark, full=None))

    def named(self, models: Collection[str]) -> Looked:
        """All versions of these models; none of one that is not there."""
        found = {}
        with self._asking(f"looking at {len(models)} models") as client:
            for model in sorted(models):
                records = every(client, f"name='{model}'", PAGE)
                found[model] = sorted(map(self.version, records), key=age)
        return found

    def page(self, token: str) -> tuple[Looked, str | None]:
        """Some of all models, whole, and where to go on."""
        with self._asking("looking at all models") as client:
            page = client.search_registered_models(max_results=PAGE, page_token=token or None)
        return self.named([one.name for one in page if self.has(one.name)]), page.token or None

    def tagged(self, model: str | None = None) -> None:
        """Not known: it finds versions by the name of their model only."""


def registry(
    uri: str, source: str, workspace: str = "", models: Sequence[str] = ("*",)
) -> Registry:
    """The registry at an address, or a workspace of it, as far as `models` names them."""
    kind = Catalog if is_catalog(uri) else Registry
    return kind(uri, source, tuple(models), workspace)
