#!/usr/bin/env python3
"""Every chore of this repository; ``python tasks.py`` lists them.

Needs Python and git only: each act makes the virtual environment ``.venv`` beside
this file where it is missing or out of date, and works in there. Nothing is
installed outside this directory. The exit code is that of the tool that failed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
#: One environment for each row of the version matrix.
ROWS = ROOT / ".venvs"
LOCALE = ROOT / "locale"
#: What the code is written in: its catalogue holds the messages, and no translation.
SOURCE_LANGUAGE = "en"
OLDEST_PYTHON = (3, 10)

#: What pip installs, by the act that needs it.
SHOP = ("--editable", ".", "--group", "example")
DEVELOP = ("--editable", ".", "--group", "dev")
TEST = ("--editable", ".", "--group", "test")

#: (Python, Wagtail, Django): the oldest and the newest of each, and every pair of
#: Wagtail and Django that Wagtail itself supports.
MATRIX = (
    ("3.10", "7.4", "5.2"),
    ("3.12", "7.4", "6.0"),
    ("3.10", "8.0", "5.2"),
    ("3.12", "8.0", "6.0"),
    ("3.13", "8.0", "6.1"),
    ("3.14", "8.0", "6.1"),
)

#: The environment variable by which the tests find a PostgreSQL server.
POSTGRES = "SMARTGIFT_TEST_POSTGRES"
#: Folders of tests that start processes of their own and wait for them.
PROCESS_TESTS = ("tests/benchmarks", "tests/example", "tests/money", "tests/redaction")
#: Seconds between two looks at what is due in the example shop.
SWEEP = 15
#: Seconds that a process gets to end by itself.
PATIENCE = 10


class Failure(Exception):
    """An act cannot go on; the text says what to do, ``code`` is the exit code."""

    def __init__(self, text: str, *, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


# --- running things -------------------------------------------------------------


def say(text: str) -> None:
    print(text, flush=True)


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> int:
    """Run ``command`` in the repository, with ``env`` added; return its exit code."""
    say(
        f"\n$ {' '.join(Path(part).name if part is command[0] else str(part) for part in command)}"
    )
    return subprocess.call(
        [str(part) for part in command], cwd=ROOT, env={**os.environ, **(env or {})}
    )


def must(command: Sequence[str | Path], otherwise: str) -> None:
    code = run(command)
    if code:
        raise Failure(otherwise, code=code)


def program(venv: Path, name: str) -> Path:
    """Return the path of a program inside a virtual environment."""
    return venv / ("Scripts" if os.name == "nt" else "bin") / name


def environment(
    wanted: Sequence[str], *, venv: Path = VENV, base: str = sys.executable
) -> Path:
    """Make ``venv`` with ``wanted`` installed, or take it as it is; return its Python.

    It is taken as it is while ``pyproject.toml`` and ``wanted`` are what they were.
    """
    python = program(venv, "python")
    recipe = (ROOT / "pyproject.toml").read_bytes() + repr(wanted).encode()
    stamp = venv / f".installed-{hashlib.sha256(repr(wanted).encode()).hexdigest()[:8]}"
    digest = hashlib.sha256(recipe).hexdigest()
    usable = python.exists() and not subprocess.call(
        [str(python), "-c", "pass"], stderr=subprocess.DEVNULL
    )
    if usable and stamp.exists() and stamp.read_text() == digest:
        return python
    if not usable:
        say(f"Making {venv.relative_to(ROOT)} …")
        must(
            [base, "-m", "venv", "--clear", venv],
            "Python could not make a virtual environment. On Debian and Ubuntu it "
            "needs a package of its own: apt install python3-venv",
        )
    say("Installing what this needs; the first time takes a minute or two …")
    pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check"]
    pip += ["install", "--quiet"]
    unreachable = "pip could not install the packages; its own message is above."
    # Dependency groups came with pip 25.1.
    must([*pip, "--upgrade", "pip>=25.1"], unreachable)
    must([*pip, *wanted], unreachable)
    stamp.write_text(digest)
    return python


# --- the checks, one by one -----------------------------------------------------


def lint(arguments: Sequence[str]) -> int:
    """Look for mistakes (ruff) and for imports across the layers (import-linter)."""
    python = environment(DEVELOP)
    checked = run([python, "-m", "ruff", "check", *arguments])
    return run([program(VENV, "lint-imports")]) or checked


def format(arguments: Sequence[str]) -> int:
    """Rewrite the code in the house style; ``-- --check`` only says what differs."""
    return run([environment(DEVELOP), "-m", "ruff", "format", *arguments])


def typecheck(arguments: Sequence[str]) -> int:
    """Check the types (mypy)."""
    return run([environment(DEVELOP), "-m", "mypy", *arguments])


def migrations(arguments: Sequence[str]) -> int:
    """Fail where a model has changed and no migration says so."""
    return run(
        [
            environment(DEVELOP), "-m", "django", "makemigrations",
            "--check", "--dry-run", "--settings", "tests.settings",
            "--pythonpath", ".", *arguments,
        ],
        # Without a database it cannot reach, it compares models and migrations alone.
        {POSTGRES: ""},
    )  # fmt: skip


def messages(arguments: Sequence[str]) -> int:
    """Bring the translations up to the code and compile them; ``-- nl`` begins Dutch."""
    for tool in ("xgettext", "msgmerge", "msgfmt"):
        if shutil.which(tool) is None:
            raise Failure(
                f"gettext's {tool} is missing. On Debian and Ubuntu: apt install gettext"
            )
    python = environment(DEVELOP)
    languages = {path.parts[-3] for path in LOCALE.glob("*/LC_MESSAGES/django.po")}
    catalogues = {
        language: LOCALE / language / "LC_MESSAGES" / "django.po"
        for language in sorted(languages | set(arguments))
    }
    before = {
        path: path.read_text("utf-8") for path in catalogues.values() if path.exists()
    }
    command: list[str | Path] = [python, "-m", "django", "makemessages"]
    # Lines would change with every commit; files say enough.
    command += ["--no-obsolete", "--add-location", "file"]
    for language in catalogues:
        command += ["--locale", language]
    for name in ("tests", "example_project", "docs", "build", "dist", ".*"):
        command += ["--ignore", name]
    must(command, "The messages could not be extracted.")
    for language, path in catalogues.items():
        was, now = before.get(path, ""), path.read_text("utf-8")
        # A new date alone is no news.
        if without_date(was) == without_date(now):
            path.write_text(was, "utf-8")
        if language != SOURCE_LANGUAGE:
            must(
                ["msgfmt", "--check-format", "-o", path.with_suffix(".mo"), path],
                f"{path.relative_to(ROOT)} cannot be compiled.",
            )
    say(
        "\nWhat is left to translate: python tasks.py test -- tests/test_translations.py"
    )
    return 0


def without_date(catalogue: str) -> str:
    return re.sub(r'^"POT-Creation-Date:.*$', "", catalogue, flags=re.M)


def coverage(arguments: Sequence[str]) -> int:
    """Run the quick tests and show which lines and branches they do not reach."""
    python = environment(DEVELOP)
    return pytest(
        python,
        [
            "-m",
            "not slow",
            "--cov",
            "--cov-report=term-missing:skip-covered",
            *arguments,
        ],
    )


# --- the tests ------------------------------------------------------------------


def pytest(
    python: Path, arguments: Sequence[str], env: Mapping[str, str] | None = None
) -> int:
    with tempfile.TemporaryDirectory() as directory:
        # A file, because threads that race cannot share SQLite's memory.
        sqlite = {"SMARTGIFT_TEST_SQLITE": str(Path(directory) / "tests.sqlite3")}
        return run([python, "-m", "pytest", *arguments], {**sqlite, **(env or {})})


class Report:
    """What ran, how it ended, and what was left out and why."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, float]] = []
        self.skipped: Counter[str] = Counter()
        self.left_out: list[str] = []

    def step(self, name: str, act: Callable[[], int]) -> None:
        began = time.monotonic()
        code = act()
        self.steps.append((name, code, time.monotonic() - began))

    def tests(
        self,
        name: str,
        python: Path,
        arguments: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run pytest and remember the reasons of what it skipped."""

        def act() -> int:
            with tempfile.TemporaryDirectory() as directory:
                results = Path(directory) / "results.xml"
                code = pytest(python, [*arguments, f"--junit-xml={results}"], env)
                if results.exists():
                    self.skipped.update(skips(results))
            return code

        self.step(name, act)

    def close(self) -> int:
        """Print the outcome; return the first failure's exit code, or 0."""
        say("")
        for name, code, seconds in self.steps:
            outcome = "passed" if code == 0 else f"FAILED (exit code {code})"
            say(f"  {name:<34} {outcome:<24} {seconds:6.1f} s")
        for reason in self.left_out:
            say(f"  left out: {reason}")
        for reason, count in sorted(self.skipped.items()):
            say(f"  skipped: {count} × {reason}")
        return next((code for _, code, _ in self.steps if code), 0)


class Aside:
    """A run of pytest beside whatever comes next.

    Much of the suite waits, for browsers, for processes and for time to pass. ``end``
    waits for the run and shows what it said.
    """

    def __init__(
        self,
        report: Report,
        name: str,
        python: Path,
        marks: str,
        *folders: str,
        postgres: bool = False,
    ) -> None:
        self._report, self._name = report, name
        self._directory = tempfile.TemporaryDirectory()
        folder = Path(self._directory.name)
        self._results, self._said = folder / "results.xml", folder / "said"
        self._began = time.monotonic()
        command = ["-m", "pytest", "-m", marks, *folders]
        say(f"\n$ python {shlex.join(command)} (beside the next step)")
        sqlite = {"SMARTGIFT_TEST_SQLITE": str(folder / "tests.sqlite3")}
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [str(python), *command]
                + [f"--junit-xml={self._results}", f"--basetemp={folder / 'tmp'}"],
                cwd=ROOT,
                env={**os.environ, **sqlite, **({} if postgres else {POSTGRES: ""})},
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def end(self) -> None:
        code = self._process.wait()
        seconds = time.monotonic() - self._began
        say(f"\n{self._name}:")
        say(self._said.read_text("utf-8", errors="replace"))
        if self._results.exists():
            self._report.skipped.update(skips(self._results))
        self._report.steps.append((self._name, code, seconds))
        self._directory.cleanup()


def skips(results: Path) -> Counter[str]:
    """Count the reasons for skipping in a JUnit file that pytest has just written."""
    found = ElementTree.parse(results).getroot().iter("skipped")
    return Counter(item.get("message") or "no reason given" for item in found)


def check_code(report: Report) -> None:
    report.step("ruff, import-linter", lambda: lint([]))
    report.step("ruff format", lambda: format(["--check"]))
    report.step("mypy", lambda: typecheck([]))
    report.step("migrations", lambda: migrations([]))


def test(arguments: Sequence[str]) -> int:
    """Check the code and run the quick tests; after ``--`` arguments for pytest alone."""
    python = environment(DEVELOP)
    if arguments:
        return pytest(python, arguments)
    report = Report()
    check_code(report)
    postgres = bool(os.environ.get(POSTGRES))
    quick = "not slow and not postgres" if postgres else "not slow"
    plain = f"not browser and {quick}"
    asides = [
        Aside(report, "pytest, in the browser", python, f"browser and {quick}"),
        Aside(report, "pytest with processes", python, plain, *PROCESS_TESTS),
    ]
    if postgres:
        marks = "(postgres or every_database) and not slow"
        asides.append(
            Aside(report, "pytest on PostgreSQL", python, marks, postgres=True)
        )
    rest = [f"--ignore={folder}" for folder in PROCESS_TESTS]
    report.tests("pytest", python, ["-m", plain, *rest], {POSTGRES: ""})
    for aside in asides:
        aside.end()
    report.left_out.append("slow tests and other versions (python tasks.py full)")
    return report.close()


def full(arguments: Sequence[str]) -> int:
    """Run everything: slow tests, both orders of apps, every version installed here."""
    python = environment(DEVELOP)
    thorough = {"SMARTGIFT_HYPOTHESIS": "thorough"}
    report = Report()
    check_code(report)
    if os.environ.get(POSTGRES):
        report.tests("everything on PostgreSQL", python, arguments, thorough)
    else:
        report.left_out.append(f"everything on PostgreSQL (set {POSTGRES})")
    report.tests("everything on SQLite", python, arguments, {**thorough, POSTGRES: ""})
    quick = ["-m", "not slow and not browser and not postgres", *arguments]
    report.tests(
        "our app last of the apps",
        python,
        quick,
        {"SMARTGIFT_APP_LAST": "1", POSTGRES: ""},
    )
    for version, wagtail, django in MATRIX:
        name = f"Python {version}, Wagtail {wagtail}, Django {django}"
        base = interpreter(version)
        if base is None:
            report.left_out.append(f"{name} (no python{version} here)")
            continue
        row = environment(
            [*TEST, f"wagtail~={wagtail}.0", f"Django~={django}.0"],
            venv=ROWS / f"py{version}-wagtail{wagtail}-django{django}",
            base=base,
        )
        report.tests(name, row, quick, {POSTGRES: ""})
    return report.close()


def interpreter(version: str) -> str | None:
    """Find a Python of that version: on the PATH, or one that pyenv installed."""
    found = shutil.which(f"python{version}")
    # pyenv puts shims on the PATH that fail for versions that are not selected.
    if found and not subprocess.call(
        [found, "-c", "pass"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ):
        return found
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = sorted(home.glob(f"versions/{version}.*/bin/python"))
    return str(installed[-1]) if installed else None


# --- the example shop -----------------------------------------------------------


def shop(_arguments: Sequence[str]) -> int:
    """Run the example shop with the bundled sandbox; PORT says where (8000)."""
    port = shop_port()
    python = environment(SHOP)
    manage: list[str | Path] = [python, ROOT / "example_project" / "manage.py"]
    must([*manage, "migrate", "--verbosity", "0"], "The shop's database is not usable.")
    must([*manage, "load_example_data"], "The shop's example data could not be loaded.")

    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        processes["shop"] = start(
            [*manage, "runserver", f"127.0.0.1:{port}", "--noreload"]
        )
        wait_until_open(port, processes["shop"])
        processes["sweep"] = start(
            [*manage, "smartgift_reconcile", "--watch", str(SWEEP)]
        )
        say(
            f"\n  The shop runs at    http://127.0.0.1:{port}/"
            f"\n  its vouchers at     http://127.0.0.1:{port}/gift-vouchers/"
            f"\n  its JSON API at     http://127.0.0.1:{port}/smartgift/api/docs"
        )
        say("\n  Ctrl-C stops it.\n")
        while True:
            for name, process in processes.items():
                if process.poll() is not None:
                    raise Failure(
                        f"The {name} stopped by itself; why is said above.",
                        code=process.returncode or 1,
                    )
            time.sleep(0.2)
    except KeyboardInterrupt:
        say("\nStopping …")
        return 0
    finally:
        # From here on a second Ctrl-C must not leave a process behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for process in reversed(processes.values()):
            stop(process)


def shop_port() -> int:
    """Return the port of the shop.

    Raises:
        Failure: PORT is no port, or something listens there.
    """
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Failure(f"PORT must be a number from 1 to 65535, not {text!r}.")
    with socket.socket() as probe:
        # As the server does, so that a port that was left a moment ago counts as free.
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            raise Failure(
                f"The shop cannot listen on port {text}: {error.strerror}. Stop what "
                "listens there, or choose another one: PORT=8001 python tasks.py shop"
            ) from None
    return int(text)


def interrupted(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def start(command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
    # A group of its own: Ctrl-C reaches this process alone, which then stops the
    # others in order, with whatever they started.
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=os.name != "nt",
    )


def wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure("The shop did not start.", code=process.returncode or 1)
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise Failure("The shop did not answer within a minute.")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; kill what does not end by itself."""
    for number in ("SIGINT", "SIGTERM", "SIGKILL"):
        try:
            if os.name == "nt":
                process.terminate()
            else:
                os.killpg(process.pid, getattr(signal, number))
        except (ProcessLookupError, PermissionError):
            # Nothing of its group is left (macOS says the latter).
            return
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            continue


# --- the rest -------------------------------------------------------------------


def build(arguments: Sequence[str]) -> int:
    """Build the wheel and the source archive into dist/."""
    return run([environment(DEVELOP), "-m", "build", *arguments])


def clean(_arguments: Sequence[str]) -> int:
    """Remove what the acts have made: environments, caches, the shop's database."""
    made = [
        VENV, ROWS, ROOT / "build", ROOT / "dist", ROOT / "htmlcov",
        ROOT / "example_project" / "var", *ROOT.glob(".coverage*"),
        *ROOT.glob(".*_cache"), ROOT / ".hypothesis", *ROOT.glob("*.egg-info"),
    ]  # fmt: skip
    for path in made:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            continue
        say(f"removed {path.relative_to(ROOT)}")
    return 0


ACTS: dict[str, Callable[[Sequence[str]], int]] = {
    act.__name__: act
    for act in (
        shop, test, full, lint, format, typecheck, coverage, migrations, messages, build,
        clean,
    )
}  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    if sys.version_info < OLDEST_PYTHON:
        say("This needs Python {}.{} or newer.".format(*OLDEST_PYTHON))
        return 1
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        say("python tasks.py ACT [-- ARGUMENTS FOR ITS TOOL]\n")
        for name, act in ACTS.items():
            say(f"  {name:<12} {(act.__doc__ or '').strip()}")
        return 0
    name, *rest = arguments
    if name not in ACTS:
        say(f"There is no act {name!r}. There are: {', '.join(ACTS)}.")
        return 2
    try:
        return ACTS[name](rest[1:] if rest[:1] == ["--"] else rest)
    except Failure as failure:
        say(f"\n{failure}")
        return failure.code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
