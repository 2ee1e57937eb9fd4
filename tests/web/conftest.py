"""One server for all tests of a file that do not mind each other."""

from collections.abc import Iterator

import pytest

from tests.web.houses import Asked, house, models, served


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Iterator[Asked]:
    """On this machine alone, without tokens: everything is open."""
    at = tmp_path_factory.mktemp("house")
    with house(at, models(at)) as found, served(found) as running:
        yield running
