"""What a child is started with, and what it may take and do.

The limits of the operating system hold whatever runs in the child. The audit hook does not:
code that runs in it can go around Python. It is a tripwire for a library that opens, writes,
connects or starts something on a file's behalf, and none of those we use needs to.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping

NOWHERE = "/nonexistent"  # no home, no plugins, no caches: the child writes no file
PASSED_ON = (  # and nothing else: no token, no address, no password
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
)
SET = {
    **dict.fromkeys(("HOME", "TMPDIR", "HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"), NOWHERE),
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "CUDA_CACHE_DISABLE": "1",
    "HDF5_PLUGIN_PATH": NOWHERE,
    "HDF5_PLUGIN_PRELOAD": "::",  # which HDF5 takes for: load no plugin at all
}
BASE = 1 << 30  # bytes for the program itself, what a file's header becomes, and BLAS's buffers:
# with numpy, scipy and torch imported it takes 0.35 GiB, and 33 MB for each further BLAS thread
BLAS_THREAD = 64 << 20
FILES = 4096  # descriptors; the largest models known have 200 files

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
REFUSED = frozenset(  # audit events, by their first part or whole
    {"socket", "subprocess", "ftplib", "http", "imaplib", "smtplib", "telnetlib", "urllib"}
    | {"os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty"}
    | {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
    | {"os.chmod", "os.chown", "os.kill", "shutil", "tempfile"}
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: of the parent's own only what says where libraries are."""
    return {**{name: own[name] for name in PASSED_ON if name in own}, **SET}


def die_with(parent: int) -> None:
    """End when the parent does, where the system can do that by itself; gain no rights."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:  # it died before that
        os._exit(1)


def limit(memory: int | None) -> None:
    """Limits of the operating system, from here on.

    Parameters
    ----------
    memory
        Bytes for what is measured, besides the program itself. None for none: a GPU's driver
        reserves more address space than there is memory.
    """
    import resource  # noqa: PLC0415 - not on every system

    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, FILES)
    if memory is not None:
        _lower(resource.RLIMIT_DATA, memory + BASE + BLAS_THREAD * (os.cpu_count() or 1))


def _lower(which: int, to: int) -> None:
    import resource  # noqa: PLC0415 - as above

    hard = resource.getrlimit(which)[1]
    wanted = to if hard == resource.RLIM_INFINITY else min(to, hard)
    resource.setrlimit(which, (wanted, wanted))


def refuse() -> None:
    """From here on Python opens no socket, writes no file and starts no process."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & WRITING and path != os.devnull:
            raise PermissionError("a process that reads weights writes no file")
    elif event in REFUSED or event.partition(".")[0] in REFUSED:
        raise PermissionError(f"a process that reads weights does without {event}")
