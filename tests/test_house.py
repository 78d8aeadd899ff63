"""The house: what each wing of labsupport may import, and what has to be installed for it."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from labsupport.pipeline.notebooks import code_cells, read_notebook

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
EXTRAS = PROJECT["optional-dependencies"]
SHARED = {"bands", "child", "cli", "costs", "files", "firmness", "forked", "forkserver", "kernels"}
SHARED |= {"locks", "notebooks", "options", "project", "provenance"}
# What each extra is for; the command line imports what a command needs when it is given.
MODULES = {
    "pipeline": SHARED
    | {"blessed", "contract", "execute", "figures", "grid", "lint", "prose", "provisioner"}
    | {"report", "results", "runner", "seals", "sweep", "sweep_command", "tasks", "texts"}
    | {"update", "workers"},
    "cluster": {"cluster"},
    "html": SHARED | {"ledger", "marks", "pages", "pdf", "render"},
    "test": {"regression"},
}
LONGEST_MODULE = 250


def modules(folder):
    return {path.stem: path for path in sorted((ROOT / folder).glob("[!_]*.py"))}


TOOLKIT, PIPELINE = modules("labsupport"), modules("labsupport/pipeline")
packages_distributions = functools.cache(metadata.packages_distributions)  # takes a second
each_extra = pytest.mark.parametrize("extra", MODULES)


def imports(program):
    """Return all that a program imports, at its top and later."""
    found = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def foreign(names):
    """Return the packages among imported names that are neither of the book nor of Python."""
    packages = {name.partition(".")[0] for name in names}
    return packages - {"labsupport"} - set(sys.stdlib_module_names)


def distributions(requirements):
    """Return the names of the distributions that are required, as they are spelled officially."""
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def brought_by(requirements):
    """Return all distributions that come with some requirements on this machine."""
    found, waiting = set(), [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in found:
            continue
        found.add((name, *requirement.extras))
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:  # for another system
            continue
        for line in map(Requirement, lines):
            extras = requirement.extras or {""}
            if not line.marker or any(line.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(line)
    return {name for name, *_ in found}


def packages_of(names):
    """Return the packages that can be imported where some distributions are installed."""
    return {
        package
        for package, owners in packages_distributions().items()
        if names & {canonicalize_name(owner) for owner in owners}
    }


def all_chapters():
    notebooks = (read_notebook(path) for path in (ROOT / "book").glob("*.ipynb"))
    return [cell.source for notebook in notebooks for cell in code_cells(notebook)]


@pytest.mark.parametrize("module", TOOLKIT)
def test_toolkit_imports_nothing_of_the_pipeline(module):
    used = imports(TOOLKIT[module].read_text(encoding="utf-8"))
    assert [name for name in used if name.startswith("labsupport.pipeline")] == []


def test_chapters_import_nothing_of_the_pipeline():
    used = set().union(*map(imports, all_chapters()))
    assert [name for name in used if name.startswith("labsupport.pipeline")] == []


def test_toolkit_holds_nothing_that_no_chapter_needs():
    needed, waiting = set(), all_chapters()
    while waiting:
        used = re.findall(r"^from labsupport\.(\w+) import", waiting.pop(), re.MULTILINE)
        waiting += [TOOLKIT[name].read_text(encoding="utf-8") for name in set(used) - needed]
        needed |= set(used)
    assert needed == set(TOOLKIT)


def test_pipeline_imports_no_torch_at_its_top():
    names = ", ".join(f"labsupport.pipeline.{module}" for module in PIPELINE)
    program = f"import sys, {names}; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {"torch", "torchvision"} & set(result.stdout.split()) == set()


def test_base_dependencies_are_what_chapters_import():
    sources = [path.read_text(encoding="utf-8") for path in TOOLKIT.values()] + all_chapters()
    used = foreign(set().union(*map(imports, sources)))
    declared = distributions(PROJECT["dependencies"])
    assert used <= packages_of(brought_by(PROJECT["dependencies"]))
    # a chapter needs a kernel, and never imports it
    assert declared - {"ipykernel"} <= {
        canonicalize_name(name) for package in used for name in packages_distributions()[package]
    }


def test_every_module_of_the_pipeline_belongs_to_an_extra():
    assert set().union(*MODULES.values()) == set(PIPELINE)


ALONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

refused = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Refuse())
for name in sys.argv[2].split(","):
    __import__(f"labsupport.pipeline.{name}")
"""


@each_extra
def test_modules_of_an_extra_import_with_that_extra_alone(extra):
    present = packages_of(brought_by(EXTRAS[extra])) | {"labsupport"}
    refused = set(packages_distributions()) - present - set(sys.stdlib_module_names)
    assert "torch" in refused
    command = [sys.executable, "-c", ALONE, ",".join(refused), ",".join(sorted(MODULES[extra]))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@each_extra
def test_modules_of_an_extra_need_nothing_more_when_they_are_used(extra):
    sources = [PIPELINE[module].read_text(encoding="utf-8") for module in MODULES[extra]]
    base = [] if extra == "html" else PROJECT["dependencies"]
    brought = packages_of(brought_by([*base, *EXTRAS[extra]]))
    assert foreign(set().union(*map(imports, sources))) - brought == set()


@pytest.mark.parametrize(
    ("path", "tests"),
    [(path, ROOT / "tests") for path in TOOLKIT.values()]
    + [(path, ROOT / "tests/pipeline") for path in PIPELINE.values()],
    ids=[*TOOLKIT, *PIPELINE],
)
def test_module_is_short_and_has_a_test_file_of_its_name(path, tests):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    assert list(tests.glob(f"test_{path.stem}*.py"))


@pytest.mark.parametrize("folder", ["tools", "benchmarks"])
def test_program_is_short(folder):
    lengths = {p.name: p.read_text("utf-8").count("\n") for p in (ROOT / folder).glob("*.py")}
    assert {name for name, length in lengths.items() if length > LONGEST_MODULE} == set()


def siblings(path):
    """Return which modules of the same folder a module imports."""
    folder = ".".join(path.parent.relative_to(ROOT).parts)
    found = re.findall(rf"from {folder}\.(\w+) import", path.read_text(encoding="utf-8"))
    return set(found)


def test_contributing_tells_what_each_room_imports():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = text[text.index("## The rooms") : text.index("## The tools")]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\w, ]+) \|", rooms, re.MULTILINE)
    told = {module: set(names.split(", ")) - {"none"} for module, names in rows}
    assert told == {module: siblings(path) for module, path in (TOOLKIT | PIPELINE).items()}


def test_api_page_shows_every_module():
    text = (ROOT / "book/api.md").read_text(encoding="utf-8")
    shown = re.findall(r"automodule:: labsupport\.(\S+)", text)
    wanted = [*TOOLKIT, *(f"pipeline.{module}" for module in PIPELINE)]
    assert sorted(shown) == sorted(wanted)


def test_grants_of_measured_cells_name_chapters():
    chapters = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
    assert set(SETTINGS["tool"]["labs"]["measured"]) - chapters == set()
