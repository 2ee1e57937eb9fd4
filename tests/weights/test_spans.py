"""A part of a file asked of a server: what counts as an answer."""

import time

import pytest

from auditor.errors import SourceError
from auditor.weights.spans import Deadline, Span, deadline

PART = Span("model.safetensors", 10, 5, 100)
RIGHT = {"content-range": "bytes 10-14/100"}


def test_asks_for_exactly_the_part_and_nothing_compressed():
    assert PART.headers == {"Range": "bytes=10-14", "Accept-Encoding": "identity"}


def test_takes_the_part_that_was_asked_for():
    PART.check(206, RIGHT)
    assert PART.gather([b"ab", b"", b"cde"]) == b"abcde"


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (200, RIGHT, "ignores ranges"),
        (206, {}, "no Content-Range"),
        (206, {"content-range": "bytes 11-15/100"}, "bytes 11-15/100"),
        (206, {"content-range": "bytes 10-14/101"}, "bytes 10-14/101"),
        (206, {"content-range": "bytes 10-14/*"}, r"bytes 10-14/\*"),
        (206, {"content-range": "bytes " + "9" * 9999}, "answered 206"),
        (416, {"content-range": "bytes */100"}, "answered 416"),
        (206, {**RIGHT, "content-encoding": "gzip"}, "compressed"),
    ],
)
def test_refuses_any_other_answer_by_its_headers(status, headers, said):
    with pytest.raises(SourceError, match=said) as problem:
        PART.check(status, headers)
    assert len(str(problem.value)) < 400


@pytest.mark.parametrize(
    ("chunks", "said"), [([b"abcd"], "4 bytes came"), ([b"abc", b"def"], "more bytes")]
)
def test_refuses_a_body_of_another_length(chunks, said):
    with pytest.raises(SourceError, match=said):
        PART.gather(chunks)


def test_a_transfer_that_drips_is_given_up():
    deadline(0).check("x")
    with pytest.raises(SourceError, match="slower than 64 KiB a second"):
        Deadline(time.monotonic() - 1).check("x")
