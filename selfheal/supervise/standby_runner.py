"""How does a Python program wait before its first line, with its imports done?

Run by the agent's own interpreter in place of its program, from 3.8 on, with nothing of selfheal to import:

    python [options] standby_runner.py spare|zygote lives|dies IMPORTS script|module TARGET [argument …]

It imports what the program will import, says so on descriptor 3, and waits there. The message that comes is the mark
of the run that begins: from there on it is the program, as if it had just been started. The end of the descriptor is
the end of the daemon, and then it ends too. A zygote is asked for children, each of which waits at its own descriptor;
it says so where its imports are of a version that is no more.
"""

from __future__ import annotations

import sys

# The interpreter puts this folder first, where a module of any name might shadow one that the program means.
_PATH_IS_SET = bool(sys.path) and sys.path[0] == __file__.rpartition("/")[0]
if _PATH_IS_SET:
    del sys.path[0]

import ast
import builtins
import fcntl
import gc
import importlib
import os
import runpy
import time
import types
import zipfile
from importlib.machinery import PathFinder, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    _Stamps = dict[bytes, tuple[int, int, int] | None]

DAEMON = 3
_VARIABLE = "SELFHEAL_ID"
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_MESSAGE_BYTES = 4096
_REPARENTED_S = 0.0002
# How many files of a program are read for what they import, before it is good enough.
_MOST_FILES = 1000


class Program:
    """What the command line means, as the interpreter would have seen it."""

    def __init__(self, way: str, target: str, arguments: list[str]) -> None:
        self.target = target
        self.is_module = way == "module"
        self.is_folder = not self.is_module and (os.path.isdir(target) or zipfile.is_zipfile(target))
        words = ["-m", target] if self.is_module else [target]
        with open("/proc/self/cmdline", "rb") as file:
            self.started_as = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
        self.command = [*self.started_as[: self.started_as.index(__file__)], *words, *arguments]
        self.argv = ["-m" if self.is_module else target, *arguments]
        self.package, self.file = self._source()

    def put_in_place(self) -> None:
        """Set what modules may look at while they are imported, and the program itself after."""
        sys.argv[:] = self.argv
        if hasattr(sys, "orig_argv"):
            sys.orig_argv[:] = self.command
        if self.is_folder:
            sys.path.insert(0, self.path())
        elif _PATH_IS_SET:
            sys.path.insert(0, self.folder())
        main = types.ModuleType("__main__")
        main.__dict__["__builtins__"] = builtins
        if sys.version_info < (3, 14):
            main.__dict__["__annotations__"] = {}
        sys.modules["__main__"] = main
        self.package, self.file = self._source()  # the path is complete by now

    def folder(self) -> str:
        """The first entry of the path."""
        return os.getcwd() if self.is_module else os.path.dirname(os.path.realpath(self.target))

    def path(self) -> str:
        """The script as its own `__file__` has it."""
        return os.path.join(os.getcwd(), self.target) if sys.version_info >= (3, 9) else self.target

    def run(self) -> None:
        """Be the program, to its end."""
        run_module = vars(runpy)["_run_module_as_main"]  # what the interpreter itself calls for -m
        try:
            if self.is_module:
                run_module(self.target)
            elif self.is_folder:
                run_module("__main__", alter_argv=False)
            else:
                self._run_script()
        except SystemExit:
            raise
        except BaseException:
            _hide_ourselves()
            raise

    def _run_script(self) -> None:
        path = self.path()
        loader = SourceFileLoader("__main__", path)
        main = sys.modules["__main__"]
        main.__dict__.update(__file__=path, __cached__=None, __loader__=loader)
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, main.__dict__)

    def _source(self) -> tuple[str, str]:
        """The package and the file of its main module; the file is empty where it is not found."""
        if self.is_folder:
            return "", os.path.join(self.target, "__main__.py")
        return _located(self.target) if self.is_module else ("", self.target)


def main() -> None:
    """Prepare, wait, and be the program."""
    kind, life, names, way, target, *arguments = sys.argv[1:]
    os.set_inheritable(DAEMON, False)
    _end_with_the_daemon(True)
    program = Program(way, target, arguments)
    program.put_in_place()
    began_ns = time.time_ns()
    try:
        _write_mark(os.environ[_VARIABLE])  # now, as it cannot be told later that it is impossible
        _import_all(program, names.split(",") if names else [])
    except BaseException as why:
        _give_up(DAEMON, f"{type(why).__name__}: {why}")
    stamps = _stamps(program)
    if _is_any_newer(stamps, began_ns):  # a deployment is on its way: some of it may be of the version before
        _begin_again(program)
    _end_with_the_daemon(False)
    waits_at = _children_wait_at(life, stamps) if kind == "zygote" else DAEMON
    mark = _wait(waits_at)
    os.close(waits_at)
    _write_mark(mark)
    os.environ[_VARIABLE] = mark
    if not _are_current(stamps):  # a deployment: what was imported is of the version before
        os.execvp(program.command[0], program.command)
    program.run()


# --- waiting ---


def _end_with_the_daemon(ends: bool) -> None:
    """Let the kernel end us at the end of the descriptor, while an import that may hang keeps us from reading it."""
    fcntl.fcntl(DAEMON, fcntl.F_SETOWN, os.getpid() if ends else 0)
    flags = fcntl.fcntl(DAEMON, fcntl.F_GETFL)
    fcntl.fcntl(DAEMON, fcntl.F_SETFL, flags | os.O_ASYNC if ends else flags & ~os.O_ASYNC)  # SIGIO, deadly by default


def _wait(fd: int) -> str:
    """Say that all is ready; return the mark of the run that shall begin."""
    try:
        os.write(fd, b"r")
        mark = os.read(fd, _MESSAGE_BYTES)
    except OSError:
        mark = b""
    if not mark:
        os._exit(0)  # the daemon is gone or wants no standby: nothing of the program has run that could be told
    return os.fsdecode(mark)


def _begin_again(program: Program) -> None:
    """Do the imports anew in an empty interpreter. The daemon gives up what never gets done with it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.set_inheritable(DAEMON, True)
    os.execvp(program.started_as[0], program.started_as)


def _children_wait_at(life: str, stamps: _Stamps) -> int:
    """Fork for as long as the daemon asks for it. Returns only in the children, with the descriptor to wait at."""
    import array  # noqa: PLC0415 - a spare shall hold nothing that it does not need
    import socket  # noqa: PLC0415

    if life == "dies":
        import ctypes  # noqa: F401, PLC0415 - once, here, and not in each child
    gc.collect()
    gc.freeze()  # what is shared stays so: no collection writes into these pages
    daemon = socket.socket(fileno=DAEMON)
    _refuse_threads()
    os.write(DAEMON, b"r")
    while True:
        try:
            asked, ancillary, _, _ = daemon.recvmsg(1, socket.CMSG_SPACE(4))
        except OSError:
            asked, ancillary = b"", []
        if not asked:
            os._exit(0)
        _refuse_threads()
        if not _are_current(stamps):  # each child would start anew: the daemon puts another in our place
            os.write(DAEMON, b"o")
            continue
        fd = array.array("i", ancillary[0][2])[0]
        os.set_inheritable(fd, False)
        sys.stdout.flush()  # what is not written yet would be written by each child again
        sys.stderr.flush()
        between = os.fork()
        if between == 0:
            between = os.getpid()
            if os.fork():
                os._exit(0)
            daemon.close()
            _belong_to_the_daemon(between, life)
            return fd
        os.close(fd)
        os.waitpid(between, 0)


def _belong_to_the_daemon(between: int, life: str) -> None:
    """In a child: lead a session of its own, and be the daemon's child, which waits for orphans below it."""
    os.setsid()
    while os.getppid() == between:
        time.sleep(_REPARENTED_S)
    if life == "dies":
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _refuse_threads() -> None:
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        _give_up(DAEMON, f"an import has started {threads - 1} threads, which a fork would lose")


def _give_up(fd: int, why: str) -> None:
    try:
        os.write(fd, b"e" + why.encode(errors="replace")[: _MESSAGE_BYTES - 1])
    except OSError:
        pass
    os._exit(1)


def _write_mark(mark: str) -> None:
    """Change the environment that others see of this process, where it lies: SELFHEAL_ID is there, and no shorter."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    begin, end = int(fields[47]), int(fields[48])
    memory = os.open("/proc/self/mem", os.O_RDWR)
    try:
        block = b"\0" + os.pread(memory, end - begin, begin)
        at = block.index(b"\0" + _VARIABLE.encode() + b"=")
        room = block.index(b"\0", at + 1) - at - 1
        os.pwrite(memory, f"{_VARIABLE}={mark}".encode().ljust(room, b"\0"), begin + at)
    finally:
        os.close(memory)


def _hide_ourselves() -> None:
    """Let a traceback begin where that of the program would."""
    show = sys.excepthook

    def shown(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        show(kind, error.with_traceback(trace), trace)

    sys.excepthook = shown


# --- imports ---


def _import_all(program: Program, names: list[str]) -> None:
    """Import what was named, or else what the program and the modules beside it import from elsewhere."""
    for name in names:
        importlib.import_module(name)
    if not names:
        for name, members in _foreign_imports(program).items():
            try:
                __import__(name, fromlist=members)
            except Exception:
                continue  # a guess: the program knows what it does where this is missing, or breaks
    if program.is_module and sys.modules.pop(program.target, None) is not None:  # it will be the main module instead
        package, _, last = program.target.rpartition(".")
        vars(sys.modules.get(package, types)).pop(last if package else "", None)


def _foreign_imports(program: Program) -> dict[str, list[str]]:
    """What the program imports at its beginning, by what is written there: nothing of its own is run for that."""
    folder = sys.path[0] if _PATH_IS_SET or program.is_folder else ""
    files = {program.file: program.package}
    found: dict[str, list[str]] = {}
    waiting = [program.file]
    while waiting and len(files) < _MOST_FILES:
        file = waiting.pop(0)
        for name, members in _imports(file, files[file]):
            if folder and _is_beside(folder, name.partition(".")[0]):
                own = {path: package for path, package in _own_files(folder, name, members) if path not in files}
                files.update(own)
                waiting.extend(own)
            else:
                found.setdefault(name, []).extend(members)
    found.pop("__future__", None)
    return found


def _imports(file: str, package: str) -> Iterator[tuple[str, list[str]]]:
    """Module and members of each import statement that runs whenever the file does."""
    try:
        with open(file, "rb") as source:
            statements = ast.parse(source.read()).body
    except (OSError, SyntaxError, ValueError):
        return
    for statement in statements:
        inner = statement.body if isinstance(statement, (ast.Try, ast.With)) else [statement]
        for one in inner:
            if isinstance(one, ast.Import):
                for alias in one.names:
                    yield alias.name, []
            elif isinstance(one, ast.ImportFrom):
                parents = package.split(".")[: len(package.split(".")) - one.level + 1] if one.level else []
                name = ".".join(part for part in [*parents, one.module or ""] if part)
                if name:
                    yield name, [alias.name for alias in one.names if alias.name != "*"]


def _is_beside(folder: str, name: str) -> bool:
    """Whether a module is the program's own: it lies where the program does."""
    path = os.path.join(folder, name)
    if os.path.isfile(path + ".py"):
        return True
    return os.path.isdir(path) and any(entry.endswith(".py") for entry in os.listdir(path))


def _own_files(folder: str, name: str, members: list[str]) -> Iterator[tuple[str, str]]:
    """The files, and their packages, that an import of the program's own modules runs."""
    parts = name.split(".")
    modules = [parts[: count + 1] for count in range(len(parts))] + [[*parts, member] for member in members]
    for module in modules:
        path = os.path.join(folder, *module)
        for file, package in ((path + ".py", module[:-1]), (os.path.join(path, "__init__.py"), module)):
            if os.path.isfile(file):
                yield file, ".".join(package)


def _located(name: str) -> tuple[str, str]:
    """The package and the file of a module that `-m` names; no package above it is imported for that."""
    path = None
    spec = None
    parts = name.split(".")
    for count in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: count + 1]), path)
        if spec is None:
            return "", ""
        path = spec.submodule_search_locations
    if path is not None:
        spec = PathFinder.find_spec(name + ".__main__", path)
        return name, spec.origin or "" if spec is not None else ""
    return name.rpartition(".")[0], spec.origin or "" if spec is not None else ""


def _stamps(program: Program) -> _Stamps:
    """Which version of each file is in use. Names of its own lie together: a child that reads them copies few pages."""
    library = os.path.dirname(os.__file__) + os.sep  # is replaced as a whole, and one file of it stands for all
    files = dict.fromkeys([program.file, os.__file__, sys.executable])
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and (not file.startswith(library) or "-packages" in file):
            files[file] = None
    return {name: _stamp(name) for name in map(os.fsencode, files)}


def _are_current(stamps: _Stamps) -> bool:
    return all(_stamp(file) == stamp for file, stamp in stamps.items())


def _is_any_newer(stamps: _Stamps, since_ns: int) -> bool:
    """Whether one was put there since, by its change time: a copy keeps the time of modification of its source.

    A time still to come says that a clock was set back, and nothing of the file.
    """
    now_ns = time.time_ns()
    return any(since_ns <= found.st_ctime_ns <= now_ns for found in map(_stat, stamps) if found)


def _stamp(file: bytes) -> tuple[int, int, int] | None:
    found = _stat(file)
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None


def _stat(file: bytes) -> os.stat_result | None:
    try:
        return os.stat(file)
    except OSError:
        return None


if __name__ == "__main__":
    main()
