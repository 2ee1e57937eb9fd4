"""The program told to end while an audit is at work: within a second, whatever it waits for."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import BinaryIO

from auditor.errors import StoppedError

LOOK = 0.5  # seconds between looks at whether the program is told to end


def go_on(stop: threading.Event | None) -> None:
    """Go on, unless the program is told to end.

    Raises
    ------
    StoppedError
        If it is.
    """
    if stop is not None and stop.is_set():
        raise StoppedError("the program was told to end; what was begun is continued next time")


@contextmanager
def ended_at(stop: threading.Event | None, end: Callable[[], None]) -> Iterator[None]:
    """Call `end`, from another thread, if the program is told to end inside the block."""
    if stop is None:
        yield
        return
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(stop, over, end), name="stop", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()  # it sees that at its next look, and is not waited for


def _watch(stop: threading.Event, over: threading.Event, end: Callable[[], None]) -> None:
    while not over.is_set():
        if stop.wait(LOOK) and not over.is_set():
            end()
            return


def fetched(stop: threading.Event | None, fetch: Callable[[], BinaryIO]) -> BinaryIO:
    """The handle that `fetch` gives; if the program is told to end first, it is left to itself.

    A transfer cannot be broken off from outside: it runs on in a thread that does not keep the
    program from ending, and what it fetches is kept if the program lives that long.

    Raises
    ------
    StoppedError
        If the program is told to end first. And what `fetch` raises.
    """
    if stop is None:
        return fetch()
    found: Future[BinaryIO] = Future()
    work = partial(copy_context().run, fetch)  # what a library knows of this thread
    threading.Thread(target=_fetch, args=(work, found), name="fetch", daemon=True).start()
    while not wait((found,), LOOK).done:
        try:
            go_on(stop)
        except StoppedError:
            found.add_done_callback(_close)
            raise
    return found.result()


def _fetch(fetch: Callable[[], BinaryIO], found: "Future[BinaryIO]") -> None:
    try:
        found.set_result(fetch())
    except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
        found.set_exception(error)


def _close(found: "Future[BinaryIO]") -> None:
    if found.exception() is None:
        found.result().close()
