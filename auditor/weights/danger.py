"""Which names in a pickle can run code or reach out of the process.

A list of what is known to be dangerous, not of what is known to be safe: models name classes
of any library, and a list of safe ones would accuse most of them. All names are reported.
"""

# everything in these modules, by the first part of the module's name
_MODULES = """
    os posix nt posixpath ntpath nturl2path subprocess _posixsubprocess popen2 commands sys
    socket _socket socketserver ssl select shutil importlib imp _imp runpy webbrowser pickle
    _pickle cPickle dill marshal shelve dbm ctypes _ctypes cffi pty tty code codeop codecs
    bdb pdb trace timeit profile cProfile pstats pydoc doctest unittest urllib urllib2 urllib3
    http httplib httpx aiohttp requests ftplib smtplib telnetlib poplib imaplib nntplib xmlrpc
    wsgiref cgi cgitb asyncio multiprocessing concurrent threading _thread thread signal
    tempfile fileinput linecache pip ensurepip venv setuptools distutils pkg_resources site
    zipimport pkgutil modulefinder sqlite3 gc mmap fcntl resource pwd spwd crypt winreg _winreg
    _winapi msvcrt idlelib lib2to3 antigravity platform atexit paramiko fabric
"""
# functions without a module
_BUILTINS = """
    exec eval compile open input __import__ getattr setattr delattr globals locals vars
    breakpoint execfile apply file reload raw_input
"""
# dangerous parts of modules that are otherwise harmless, with all that is below them
_NAMES = """
    io.open io.open_code io.FileIO _io.open _io.open_code _io.FileIO
    functools.reduce types.CodeType types.FunctionType
    operator.attrgetter operator.methodcaller operator.call
    _operator.attrgetter _operator.methodcaller _operator.call
    logging.FileHandler logging.config logging.handlers test.support
    torch.load torch.serialization.load torch.serialization._load torch.serialization.save
    torch.serialization._legacy_load torch.storage._load_from_bytes torch.hub torch.package
    torch.jit.load torch.jit.unsupported_tensor_ops.execWrapper torch.multiprocessing
    torch.ops.load_library torch.classes.load_library torch.testing
    torch.utils.cpp_extension torch.utils.collect_env torch.utils.bottleneck
    torch.utils.model_zoo torch.utils._config_module torch.utils.data.datapipes.utils.decoder
    torch.distributed.rpc torch.distributed.run torch.distributed.launch
    torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression
    torch.fx.graph_module.reduce_graph_module torch.fx._symbolic_trace
    torch._dynamo.guards torch._inductor.codecache
    numpy.load numpy.loadtxt numpy.fromfile numpy.memmap numpy.f2py numpy.ctypeslib
    numpy.distutils numpy.testing numpy.lib.npyio
    joblib.load joblib.numpy_pickle cloudpickle.load cloudpickle.loads
    pandas.read_pickle pandas.eval pandas.io
"""
MODULES = frozenset(_MODULES.split())
BUILTINS = frozenset(_BUILTINS.split())
NAMES = frozenset(_NAMES.split())
BUILTIN_MODULES = frozenset({"builtins", "__builtin__", "__builtins__"})


def is_dangerous(module: str, name: str) -> bool:
    """Whether a pickle that imports ``module.name`` could do harm with it.

    `name` may be dotted: from protocol 4 on, unpicklers walk it attribute by attribute, so
    that ``torch._utils`` and ``sys.modules`` reach what ``sys.modules`` is.

    Examples
    --------
    >>> is_dangerous("posix", "system"), is_dangerous("torch._utils", "_rebuild_tensor_v2")
    (True, False)
    """
    parts = name.split(".")
    if module.partition(".")[0] in MODULES or not MODULES.isdisjoint(parts[:-1]):
        return True
    if (module in BUILTIN_MODULES or len(parts) > 1) and not BUILTINS.isdisjoint(parts):
        return True
    path = [*module.split("."), *parts]
    return any(".".join(path[:length]) in NAMES for length in range(2, len(path) + 1)[:20])
