"""requirements.lock: made from pyproject.toml, and installable wherever that says it is."""

import itertools
import os
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
PYTHONS = sorted(
    Version(classifier.rpartition(" ")[2])
    for classifier in PROJECT["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
)
PLATFORMS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
]
LINES = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
PINS = [Requirement(line) for line in LINES if not line.startswith("#")]


def uv_compile(*arguments, **kwargs):
    command = [sys.executable, "-m", "uv", "pip", "compile", "--python", sys.executable]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, **kwargs)


@pytest.fixture(scope="module")
def index():
    """Skip if no index of packages can be reached; the lock has no part in that."""
    probe = uv_compile("--no-cache", "--no-deps", "-", input="pip")
    if "Failed to fetch" in probe.stderr:
        pytest.skip(f"no index of packages can be reached: {probe.stderr.splitlines()[-1].strip()}")
    assert probe.returncode == 0, probe.stderr


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", [f"{PYTHONS[0]}.0", f"{PYTHONS[-1]}.0"])
def test_lock_resolves_to_wheels_that_it_names(python, platform):
    resolved = uv_compile(
        *("pyproject.toml", "--all-extras", "--constraint", "requirements.lock"),
        *("--python-version", python, "--python-platform", platform, "--only-binary", ":all:"),
        *("--no-header", "--no-annotate", "--quiet"),
        cwd=ROOT,
        env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"},  # the oldest with PyTorch's wheels
    )
    assert resolved.returncode == 0, resolved.stderr
    assert set(resolved.stdout.splitlines()) <= {f"{pin.name}{pin.specifier}" for pin in PINS}


@pytest.mark.usefixtures("index")
@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_lock_changes_nothing(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["make", "lock", f"VENV={sys.prefix}"], cwd=tmp_path, check=True)
    assert (tmp_path / "requirements.lock").read_text(encoding="utf-8").splitlines() == LINES


def test_line_of_the_lock_is_one_version_as_any_pip_reads_it():
    for pin in PINS:
        assert [specifier.operator for specifier in pin.specifier] == ["=="], pin
        assert not pin.extras, pin
        assert not pin.url, pin


def test_requirement_is_met_by_every_pin_of_its_name():
    groups = [
        SETTINGS["build-system"]["requires"],
        PROJECT["dependencies"],
        *PROJECT["optional-dependencies"].values(),
    ]
    for requirement in map(Requirement, itertools.chain.from_iterable(groups)):
        name = canonicalize_name(requirement.name)
        pins = [str(pin.specifier).removeprefix("==") for pin in PINS if pin.name == name]
        assert pins, f"{requirement} has no pin"
        assert all(version in requirement.specifier for version in pins), (requirement, pins)


@pytest.mark.parametrize("name", ["torch", "torchvision"])
def test_pin_accepts_builds_for_one_device(name):
    (pin,) = (pin for pin in PINS if pin.name == name)
    version = str(pin.specifier).removeprefix("==")
    assert all(f"{version}{build}" in pin.specifier for build in ("+cpu", "+cu130"))


def test_pythons_are_the_same_in_all_places():
    allowed = f">={PYTHONS[0]},<3.{PYTHONS[-1].minor + 1}"
    assert [python.minor for python in PYTHONS] == [*range(PYTHONS[0].minor, PYTHONS[-1].minor + 1)]
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(allowed)
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert f"python{allowed}" in conda["dependencies"]
    words = f"Python {PYTHONS[0]} to {PYTHONS[-1]}"
    assert words in (ROOT / "README.md").read_text(encoding="utf-8")
