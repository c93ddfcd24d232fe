"""What is shipped: the wheel's contents, its metadata, and nothing of this machine."""

import ast
import json
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import catalogues


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "wagtail_smartgift"

#: What a distribution is called that is not called like its package.
DISTRIBUTIONS = {"fontTools": "fonttools", "fpdf": "fpdf2", "ninja": "django-ninja"}
#: Imported and always there, because Wagtail cannot be installed without them.
WITH_WAGTAIL = {"PIL", "django_filters", "modelcluster", "swapper", "taggit"}
#: And with the extra for printed cards: what fpdf2 itself needs.
WITH_CARDS = {"fonttools"}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]


def declared(project):
    requirements = map(Requirement, project["dependencies"])
    return {
        canonicalize_name(requirement.name): requirement for requirement in requirements
    }


def imported(directory):
    """Return the top-level names of all that the Python files of a directory import."""
    names = set()
    for path in directory.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"wagtail_smartgift"}


def test_each_import_is_declared_and_each_dependency_imported(project):
    used = {
        canonicalize_name(DISTRIBUTIONS.get(name, name))
        for name in imported(PACKAGE) - WITH_WAGTAIL
    }
    extra = {
        canonicalize_name(Requirement(text).name)
        for text in project["optional-dependencies"]["cards"]
    }
    assert used - extra - WITH_CARDS == set(declared(project))
    assert extra <= used


def test_what_an_extra_brings_is_imported_where_it_may_be_missing():
    """Without it everything else has to work, so no module may need it to be read."""
    allowed = {PACKAGE / "printing" / name for name in ("pdf.py", "qr.py")}
    users = {
        path
        for path in PACKAGE.rglob("*.py")
        if re.search(
            r"^\s*(?:import|from) (?:fpdf|segno|uharfbuzz|fontTools)\b",
            path.read_text("utf-8"),
            re.M,
        )
    }
    assert users == allowed
    for path in users:
        assert not re.search(
            r"^(?:import|from) (?:fpdf|segno|uharfbuzz|fontTools)\b",
            path.read_text("utf-8"),
            re.M,
        )


def test_dependencies_have_a_floor_and_no_ceiling(project):
    for requirement in declared(project).values():
        assert {spec.operator for spec in requirement.specifier} == {">="}, requirement


def test_the_version_is_written_in_one_place(project):
    literal = re.compile(
        rf"""version\S*\s*=\s*["']{re.escape(project["version"])}["']""", re.I
    )
    found = [
        path.relative_to(REPOSITORY).as_posix()
        for folder in (PACKAGE, REPOSITORY / "example_project")
        for path in folder.rglob("*.py")
        if literal.search(path.read_text("utf-8"))
    ]
    assert found == []


def test_nothing_names_a_place_on_the_machine_it_was_written_on():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False
    )
    if tracked.returncode:
        pytest.skip("this is no git checkout")
    place = re.compile(rb"(?<![\w.])/(?:home|root|Users|work|tmp)/[\w.-]+")
    found = [
        (name, match.decode())
        for name in filter(None, tracked.stdout.decode().split("\0"))
        if (path := REPOSITORY / name).is_file() and path != Path(__file__)
        for match in place.findall(path.read_bytes())
    ]
    assert found == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from the source archive, as a release does, without a network."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", directory, "."],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        timeout=300,
    )
    [path] = directory.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_has_each_file_of_the_package(wheel):
    shipped = set(wheel.namelist())
    missing = [
        name
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".pyo"}
        for name in [path.relative_to(REPOSITORY).as_posix()]
        if name not in shipped
    ]
    assert missing == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"wagtail_smartgift/py\.typed",
        r"wagtail_smartgift/migrations/0001_initial\.py",
        r"wagtail_smartgift/templates/wagtail_smartgift/.+\.html",
        r"wagtail_smartgift/static/wagtail_smartgift/.+\.css",
        r"wagtail_smartgift/static/wagtail_smartgift/smartgift\.js",
        r"wagtail_smartgift/static/wagtail_smartgift/smartgift\.d\.ts",
        r"wagtail_smartgift/static/wagtail_smartgift/voucher-field\.js",
        r"wagtail_smartgift/static/wagtail_smartgift/printing/cards\.css",
        r"wagtail_smartgift/templates/wagtail_smartgift/mail/vouchers\.txt",
        r"wagtail_smartgift/printing/fonts/NotoSerif\.ttf",
        r"wagtail_smartgift/printing/fonts/OFL\.txt",
        r"wagtail_smartgift-[\d.]+\.dist-info/licenses/wagtail_smartgift/.+/OFL\.txt",
        r"wagtail_smartgift/management/commands/smartgift_\w+\.py",
        r"wagtail_smartgift/sandbox/__main__\.py",
        r"wagtail_smartgift-[\d.]+\.dist-info/licenses/LICENSE",
    ],
)
def test_the_wheel_has(wheel, pattern):
    assert any(re.fullmatch(pattern, name) for name in wheel.namelist())


def test_the_wheel_carries_the_translations(wheel):
    sources = {
        f"wagtail_smartgift/{path.relative_to(REPOSITORY).as_posix()}"
        for language in catalogues.LANGUAGES
        for path in (catalogues.path_of(language, end) for end in ("po", "mo"))
    }
    assert sources <= set(wheel.namelist())


def test_the_wheel_has_nothing_else(wheel):
    roots = {name.partition("/")[0] for name in wheel.namelist()}
    assert {root.partition("-")[0] for root in roots} == {"wagtail_smartgift"}
    unwanted = re.compile(
        r"(^|/)(tests|example_project|__pycache__|var)/|\.(pyc|sqlite3)$"
    )
    assert [name for name in wheel.namelist() if unwanted.search(name)] == []


def test_the_metadata_is_the_project_s(wheel, project):
    [name] = [name for name in wheel.namelist() if name.endswith("METADATA")]
    metadata = wheel.read(name).decode()
    assert f"\nVersion: {project['version']}\n" in metadata
    assert "\nLicense-Expression: BSD-3-Clause AND OFL-1.1\n" in metadata
    assert "\nRequires-Python: >=3.10\n" in metadata


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A virtual environment of its own with the wheel in it; returns its Python.

    What the package needs is taken from here, since nothing is downloaded in a test; the
    package itself is not: only what stands beside it on the path is.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", wheel.filename],
        check=True,
        capture_output=True,
        timeout=300,
    )
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # A directory that a .pth file names is searched, but its own .pth files, such as
    # that of an editable install, are not read.
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return python


_ASK = """
import json, sys
import django
from django.conf import settings
from django.utils import translation

settings.configure(
    SECRET_KEY="only for tests", USE_TZ=True, DEBUG=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "wagtail_smartgift", "wagtail.contrib.settings", "wagtail.contrib.routable_page",
        "wagtail.users", "wagtail.snippets", "wagtail.documents", "wagtail.images",
        "wagtail.search", "wagtail.admin", "wagtail", "modelcluster", "taggit",
        "django.contrib.auth", "django.contrib.contenttypes",
    ],
    WAGTAIL_SMARTGIFT={"ACCOUNTS": {"default": {"API_KEY": "sk_test"}}},
)
django.setup()
import wagtail_smartgift
answers = {}
for language in sys.argv[2:]:
    with translation.override(language):
        answers[language] = [translation.gettext(text) for text in json.loads(sys.argv[1])]
print(json.dumps({"file": wagtail_smartgift.__file__, "answers": answers}))
"""


def test_an_installed_wheel_speaks_each_language(installed, tmp_path):
    """Without LOCALE_PATHS and without this repository: from the wheel alone."""
    catalogue = {
        language: {
            entry.msgid: entry.msgstr
            for entry in catalogues.entries(language)
            if entry.msgctxt is None and not entry.msgid_plural
        }
        for language in catalogues.LANGUAGES
    }
    asked = sorted(catalogue["fr"], key=len, reverse=True)[:20]

    done = subprocess.run(
        [installed, "-I", "-c", _ASK, json.dumps(asked), *catalogues.LANGUAGES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told["file"]).is_relative_to(installed.parents[1])
    for language, answers in told["answers"].items():
        assert answers == [catalogue[language][text] for text in asked]
        # Whole sentences: none of them is the same in two languages.
        assert not set(answers) & set(asked)
