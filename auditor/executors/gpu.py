"""The eigensolver on a GPU, where torch sees one.

Gram matrices are made on the processor by a thread per layer and solved on the GPU, those of
equal shape that wait at one time in one call. Everything is in the precision of the matrices,
float64 unless float32 was asked for, so results differ from the processor's by rounding alone:
by about 1e-14 of the largest eigenvalue, and from run to run by no more, since which matrices
are solved together depends on time.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from auditor.errors import UsageError
from auditor.spectral.eigenvalues import Eigensolver, Stack, lapack

DEVICES = AUTO, CPU, CUDA = "auto", "cpu", "cuda"
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, either below Windows

log = logging.getLogger(__name__)


def eigensolver(device: str) -> Eigensolver:
    """The eigensolver of a device: LAPACK on ``cpu``, torch's on ``cuda``.

    Parameters
    ----------
    device
        ``auto`` is ``cuda`` where there is a GPU that torch can use, else ``cpu``. Torch takes
        seconds to import: for ``auto`` it is asked only where it is imported already or a
        GPU's driver is there, not before something is to be solved, and for ``cpu`` never.

    Raises
    ------
    UsageError
        If ``cuda`` is asked for and torch sees none, or there is no such device.
    """
    if device not in DEVICES:
        raise UsageError(f"found device {device!r}; expected {', '.join(DEVICES)}")
    if device == CPU or (device == AUTO and not _may_be_there()):
        return lapack
    if device == CUDA and not _torch_sees_one():
        raise UsageError(
            "found no GPU that torch can use, and the device asked for is cuda; install a torch "
            "built for the GPU and its driver, or ask for auto or cpu"
        )
    return _on_gpu


def describe(device: str) -> str:
    """Where eigenvalues are computed here, in words.

    Raises
    ------
    UsageError
        As `eigensolver`.
    """
    if eigensolver(device) is lapack or not _torch_sees_one():
        return "the processor"
    import torch  # noqa: PLC0415 - as above

    return f"the GPU, {torch.cuda.get_device_name()}"


def _on_gpu(gram: Stack) -> Stack:
    return _best()(gram)


@cache
def _best() -> Eigensolver:
    """One for all threads of this process."""
    return Together(Torch(CUDA)) if _torch_sees_one() else lapack


def _may_be_there() -> bool:
    return "torch" in sys.modules or any(Path(driver).exists() for driver in DRIVERS)


def _torch_sees_one() -> bool:
    import torch  # noqa: PLC0415 - slow to import, and only needed here

    return torch.cuda.is_available()


@dataclass(frozen=True, slots=True)
class Torch:
    """Eigenvalues by torch on one of its devices.

    Where its memory does not suffice for a stack, half of it is tried, and so on; a single
    matrix that fails there is solved by LAPACK.
    """

    device: str

    def __call__(self, grams: Sequence[Stack]) -> Stack:
        """Eigenvalues, (b, m) ascending, of b symmetric matrices (m, m) of one type."""
        found = self._tried(grams)
        if found is not None:
            return found
        if len(grams) == 1:
            return lapack(grams[0])[np.newaxis]
        half = len(grams) // 2
        return np.concatenate((self(grams[:half]), self(grams[half:])))

    def _tried(self, grams: Sequence[Stack]) -> Stack | None:
        """None where the device cannot; what it held of them is free again by then."""
        try:
            return self._solved(grams)
        except RuntimeError as error:  # out of memory, or the device's own library gave up
            if len(grams) == 1:
                size, reason = len(grams[0]), str(error).partition("\n")[0]
                said = (self.device, size, reason)
                text = "%s cannot solve m = %d, LAPACK does: %s"
                log.warning(text, *said, extra={"event": "gpu.unusable"})
            return None

    def _solved(self, grams: Sequence[Stack]) -> Stack:
        import torch  # noqa: PLC0415 - slow to import, and only needed here

        kind = torch.from_numpy(grams[0]).dtype
        stack = torch.empty((len(grams), *grams[0].shape), dtype=kind, device=self.device)
        for place, gram in zip(stack, grams, strict=True):
            place.copy_(torch.from_numpy(gram))
        values: Stack = torch.linalg.eigvalsh(stack).cpu().numpy()
        return values


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What one thread wants solved."""

    grams: Stack  # (b, m, m)
    values: Future[Stack] = field(default_factory=Future)

    def goes_with(self, other: "_Ticket") -> bool:
        mine, others = self.grams, other.grams
        return mine.shape[1:] == others.shape[1:] and mine.dtype == others.dtype


@dataclass(frozen=True, slots=True)
class Together:
    """An eigensolver for many threads: what waits and has one shape is solved in one call.

    Whichever thread has its turn solves for all that came meanwhile, so no thread waits for
    another to arrive.
    """

    solve: Callable[[Sequence[Stack]], Stack]  # b matrices (m, m) -> (b, m)
    _waiting: list[_Ticket] = field(default_factory=list, init=False)
    _list: Lock = field(default_factory=Lock, init=False)
    _turn: Lock = field(default_factory=Lock, init=False)

    def __call__(self, gram: Stack) -> Stack:
        """Eigenvalues of symmetric matrices (..., m, m), ascending in the last axis."""
        ticket = _Ticket(gram.reshape(-1, *gram.shape[-2:]))
        with self._list:
            self._waiting.append(ticket)
        with self._turn:
            if not ticket.values.done():
                self._serve(self._taken(ticket))
        return ticket.values.result().reshape(gram.shape[:-1])

    def _taken(self, first: _Ticket) -> list[_Ticket]:
        """All that go with the first, which wait no longer."""
        with self._list:
            taken = [ticket for ticket in self._waiting if ticket.goes_with(first)]
            self._waiting[:] = [t for t in self._waiting if not t.goes_with(first)]
        return taken

    def _serve(self, tickets: Sequence[_Ticket]) -> None:
        try:
            values = self.solve([gram for ticket in tickets for gram in ticket.grams])
        except BaseException as error:  # noqa: BLE001 - raised in every thread that waits for it
            for ticket in tickets:
                ticket.values.set_exception(error)
            return
        start = 0
        for ticket in tickets:
            stop = start + len(ticket.grams)
            ticket.values.set_result(values[start:stop])
            start = stop
