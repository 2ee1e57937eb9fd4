"""A file elsewhere, read through windows: the same bytes, few requests, little kept."""

import io
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import SourceError
from auditor.weights.windows import KEPT, LARGEST, SMALLEST, STREAMING, Shelf, Windows
from tests.weights.reading import steady

SIZE = 40 << 20
CONTENT = b"".join(number.to_bytes(8, "little") for number in range(SIZE // 8))


class Remote:
    """A file elsewhere; every request for a part of it is noted."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self.asked: list[tuple[int, int]] = []
        self.broken = False

    def fetch(self, offset: int, count: int) -> bytes:
        assert offset >= 0
        assert 0 < count <= LARGEST
        assert offset + count <= self.size
        self.asked.append((offset, count))
        if self.broken:
            raise SourceError("the line is dead")
        return CONTENT[offset : offset + count]

    def open(self, shelf: Shelf | None = None) -> Windows:
        return Windows(self.fetch, self.size, shelf)


reads = st.lists(
    st.tuples(
        st.one_of(st.integers(0, SIZE + 9), st.none()),  # None: go on
        st.one_of(st.integers(0, 3 * SMALLEST), st.integers(0, 2 * LARGEST)),
    ),
    max_size=8,
)


@settings(steady, max_examples=30)
@given(plan=reads)
def test_reads_what_a_local_file_would_give(plan):
    remote = Remote()
    with remote.open() as handle, io.BytesIO(CONTENT) as local:
        for offset, count in plan:
            if offset is not None:
                assert handle.seek(offset) == local.seek(offset)
            assert handle.read(count) == local.read(count)
            assert handle.tell() == local.tell()
    assert handle.counted == sum(count for _, count in remote.asked)


def test_counts_from_the_end_and_from_here_and_fills_buffers():
    with Remote(100).open() as handle:
        handle.seek(-4, io.SEEK_END)
        handle.seek(1, io.SEEK_CUR)
        assert handle.read() == CONTENT[97:100]
        handle.seek(90)
        buffer = bytearray(20)
        assert handle.readinto(buffer) == 10
        assert bytes(buffer) == CONTENT[90:100] + bytes(10)
        assert handle.readable()
        assert handle.seekable()
        assert not handle.writable()
        with pytest.raises(ValueError, match="starts at 0"):
            handle.seek(-1)


def test_a_header_costs_one_small_request():
    remote = Remote()
    with remote.open() as handle:
        assert handle.read(512) == CONTENT[:512]
        handle.seek(8)
        assert handle.read(8000) == CONTENT[8:8008]
    assert remote.asked == [(0, SMALLEST)]


def test_a_long_header_costs_what_it_is_long():
    remote = Remote()
    with remote.open() as handle:
        handle.read(8)
        assert handle.read(300_000) == CONTENT[8:300_008]
        assert handle.counted < 300_008 + SMALLEST


def test_the_beginning_and_the_end_do_not_evict_each_other():
    remote = Remote()
    with remote.open() as handle:
        for _ in range(5):
            for at in (0, SIZE - 22, SIZE // 2):
                handle.seek(at)
                assert handle.read(22) == CONTENT[at : at + 22]
    assert len(remote.asked) == 3


def test_reading_forward_fetches_every_byte_once_in_few_requests():
    remote = Remote()
    with remote.open() as handle:
        found = [handle.read(700_001) for _ in range(SIZE // 700_001 + 1)]
    assert b"".join(found) == CONTENT
    assert handle.counted == SIZE
    assert len(remote.asked) <= 8


def test_the_next_window_is_on_its_way_before_anybody_asks():
    remote = Remote()
    with remote.open() as handle:
        handle.read(2 * STREAMING)
        ahead = [thread for thread in threading.enumerate() if thread.name == "window-ahead"]
        for thread in ahead:
            thread.join()
        assert remote.asked[-1] == (2 * STREAMING, LARGEST)
        before = len(remote.asked)
        assert handle.read(8) == CONTENT[2 * STREAMING : 2 * STREAMING + 8]
        handle.seek(3 * STREAMING)
        handle.read(STREAMING)
        assert sum(offset == 2 * STREAMING for offset, _ in remote.asked) == 1
        assert len(remote.asked) <= before + 1  # the one after it


def test_nothing_runs_on_after_the_handle_is_closed():
    handle = Remote().open()
    handle.read(2 * STREAMING)
    handle.close()
    assert not any(thread.name == "window-ahead" for thread in threading.enumerate())
    with pytest.raises(ValueError, match="closed"):
        handle.read(1)


def test_an_answer_of_another_length_is_refused():
    with (
        Windows(lambda _, count: bytes(count - 1), 100, name="x") as handle,
        pytest.raises(SourceError, match="x: 99 bytes came where 100"),
    ):
        handle.read(1)


def test_a_window_ahead_that_fails_is_told_to_whoever_gets_there_and_to_nobody_else():
    remote = Remote()
    with remote.open() as handle:
        handle.read(STREAMING - 1)
        remote.broken = True
        with pytest.raises(SourceError, match="the line is dead"):
            handle.read(2 * STREAMING)
        remote.broken = False
        handle.seek(STREAMING - 1)
        assert handle.read(9) == CONTENT[STREAMING - 1 : STREAMING + 8]


def test_many_files_share_few_large_windows():
    shelf = Shelf()
    handles = [Remote(2 * STREAMING).open(shelf) for _ in range(3 * KEPT)]
    for handle in handles:
        handle.read()
    kept = [h for h in handles if shelf.find(id(h), 0) or shelf.find(id(h), STREAMING + 1)]
    assert kept == handles[-KEPT:]
    for handle in handles:
        handle.read(1)
        handle.close()
    assert not any(shelf.find(id(handle), 0) for handle in handles)
