"""Coverage-guided fuzzing of one reader: any bytes give tensors or a `WeightsError`.

    python -m tests.fuzz.target FORMAT [folder of inputs to add to] [-max_total_time=300] ...

What follows FORMAT goes to libFuzzer; without a folder it starts from ``seeds/FORMAT`` and
writes nothing but the input that broke the reader. An input may take 10 seconds and 1 GiB.
"""

import sys
from pathlib import Path

LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-use_value_profile=1")


def main(words: list[str]) -> None:
    """Run until a limit of libFuzzer's options is reached, or a reader breaks."""
    import atheris  # noqa: PLC0415 - the tests replay what it found without it

    with atheris.instrument_imports(include=["auditor"]):
        from tests.fuzz.feeding import KINDS, SEEDS, feed  # noqa: PLC0415 - instruments them

    program, kind, *options = words
    if kind not in KINDS:
        sys.exit(f"no such format {kind}; expected one of {', '.join(KINDS)}")

    def one(data: bytes) -> None:
        feed(kind, data)

    folders = [] if any(Path(word).is_dir() for word in options) else [str(SEEDS / kind)]
    given = {word.partition("=")[0] for word in options}
    limits = [limit for limit in LIMITS if limit.partition("=")[0] not in given]
    atheris.Setup([program, *limits, *options, *folders], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
