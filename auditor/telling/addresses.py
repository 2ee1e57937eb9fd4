"""Where messages go: a service each, as apprise has it."""

import logging
import re
import threading
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from auditor.config import Config
from auditor.config.service import Target
from auditor.errors import ConfigError
from auditor.logs import hide, one_line
from auditor.telling.links import Links
from auditor.telling.news import Level

CONNECT, READ = 5.0, 10.0  # seconds a service may be silent
LONGEST_SEND = 30.0  # seconds: a service that answers a byte at a time is silent, too
LONGEST_URL = 10_000  # characters; a file that is longer is something else
SHORTEST_PART = 6  # characters of an address that may be a secret by themselves


@dataclass(slots=True)
class Address:
    """Some people, how they are reached, and what they want to hear of."""

    name: str
    models: tuple[str, ...]  # patterns
    least: Level
    digest: str | None  # time of the day, UTC
    links: Links
    _service: Any = field(repr=False)  # an apprise plug-in; its address is a secret
    _secrets: frozenset[str] = field(repr=False)
    _sending: threading.Thread | None = field(default=None, repr=False)

    def send(self, title: str, body: str, level: Level) -> str | None:
        """Send a message; None once the service took it, else why it did not.

        A service that takes too long is given up; it may take the message later all the same.
        Until it has answered, nothing else is sent there.
        """
        if self._sending is not None and self._sending.is_alive():
            return "the service has not answered to the message before"
        answer: list[str | None] = []
        thread = threading.Thread(
            target=lambda: answer.append(self._notify(title, body, level)),
            name=f"telling {self.name}",
            daemon=True,  # a program that ends does not wait for it
        )
        self._sending = thread
        thread.start()
        thread.join(LONGEST_SEND)
        if thread.is_alive():
            return f"no answer within {LONGEST_SEND:.0f} s"
        return answer[0] if answer else "an error in auditor itself; see the log"

    def _notify(self, title: str, body: str, level: Level) -> str | None:
        apprise = _library()
        one = apprise.Apprise()
        one.add(self._service)
        result = one.notify(
            title=title,
            body=body,
            notify_type=apprise.NotifyType(str(level)),
            body_format=_format(self._service, apprise),
        )
        if result:
            return None
        said = [entry.message for entry in result.logs()]
        return self._without_secrets(said[-1] if said else "the service refused the message")

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return one_line(text, 300)


def addresses(config: Config) -> tuple[Address, ...]:
    """Everybody who is told, ready to be sent to; files of addresses are read now.

    Raises
    ------
    ConfigError
        With one line for each that cannot be used. No address is repeated in it.
    """
    links = _links(config)
    found: list[Address] = []
    wrong: list[str] = []
    for target in config.notify:
        try:
            found.append(_address(target, links))
        except ConfigError as error:
            wrong.append(f"notify, {one_line(target.name, 80)}: {error}")
    names = Counter(target.name for target in config.notify)
    wrong += [
        f"notify, {one_line(name, 80)}: there are {count} of this name; give each one its own"
        for name, count in names.items()
        if count > 1
    ]
    if wrong:
        raise ConfigError("\n".join(wrong))
    return tuple(found)


def _links(config: Config) -> Links:
    written = any(sink.kind == "files" for sink in config.sinks)
    return Links(config.server.url, config.reports if written else None)


def _address(target: Target, links: Links) -> Address:
    url = _url(target)
    parts = frozenset(re.findall(rf"[^/:@?&=,\s]{{{SHORTEST_PART},}}", url.partition("://")[2]))
    hide(url, *_passwords(url))
    return Address(
        name=target.name,
        models=target.models,
        least=Level(target.least),
        digest=target.digest,
        links=links,
        _service=_service(url),
        _secrets=parts,
    )


def _url(target: Target) -> str:
    """The address, from the configuration or a file."""
    if target.url_file is None:
        return (target.url or "").strip()
    try:
        with target.url_file.open(encoding="utf-8") as file:
            url = file.read(LONGEST_URL + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"url_file {target.url_file} cannot be read: {why}") from error
    if not url or len(url) > LONGEST_URL or "\n" in url:
        raise ConfigError(f"url_file {target.url_file}: expected one line, the address")
    return url


def _passwords(url: str) -> Sequence[str]:
    """The parts of an address that are nothing but secret: a password; long, with digits."""
    passwords = re.findall(r"://[^/@]*:([^/@]+)@", url)
    words = re.findall(r"[A-Za-z0-9_~+.-]{16,}", url.partition("://")[2])
    tokens = [word for word in words if re.search("[0-9]", word) and re.search("[A-Za-z]", word)]
    return [*passwords, *tokens]


def _service(url: str) -> Any:  # noqa: ANN401 - apprise's plug-ins have no common type here
    """The apprise service behind an address, made so that it cannot hang for long."""
    apprise = _library()
    asset = apprise.AppriseAsset(
        app_id="auditor",
        app_desc="auditor",
        app_url="",
        image_url_mask="",  # no pictures from elsewhere
        image_url_logo="",
        async_mode=False,
        secure_logging=True,
        allow_templates=False,
        service_timeout=0,  # it would leave threads behind that keep this program from ending
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what its plug-ins import
        service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        scheme = url.partition("://")[0] if re.match(r"[A-Za-z0-9]{1,20}://", url) else ""
        kind = f"{scheme}://" if scheme else "without a kind such as slack://"
        raise ConfigError(
            f"the address, {kind}, is none that apprise can use; "
            "see https://appriseit.com/services for its form"
        )
    service.socket_connect_timeout = min(service.socket_connect_timeout, CONNECT)
    service.socket_read_timeout = min(service.socket_read_timeout, READ)
    return service


def _format(service: Any, apprise: ModuleType) -> Any:  # noqa: ANN401 - an enumeration of apprise's
    """Text, which is shown as it is; Markdown, which it is too, where nothing else is known.

    Apprise would escape text for those, also in the middle of links.
    """
    known = service.notify_format
    formats = set(known) if isinstance(known, tuple) else {known}
    only_markdown = formats == {apprise.NotifyFormat.MARKDOWN}
    return apprise.NotifyFormat.MARKDOWN if only_markdown else apprise.NotifyFormat.TEXT


def _library() -> ModuleType:
    """Apprise, that logs nothing: it would log addresses; what matters is in its results."""
    import apprise  # noqa: PLC0415 - slow, and only who is told needs it

    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return apprise
