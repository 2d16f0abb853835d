"""What is released: the version, wheel and sdist, the container, the conda recipe, the workflow."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEPENDENCIES = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
NEXT = Version(PROJECT["tool"]["setuptools_scm"]["fallback_version"])


def load_script():
    spec = importlib.util.spec_from_file_location("release_check", ROOT / ".ci" / "release_check.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["release_check"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


release_check = load_script()


def git(folder, *words):
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def build(source, target):
    return release_check.build(source, target, "--no-isolation")


def version(source):
    """Return the version that the repository gives."""
    words = [sys.executable, "-m", "setuptools_scm"]
    return subprocess.run(words, cwd=source, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def source(tmp_path):
    """Return a repository of one commit that holds the files of this one as they are, without tags."""
    folder = tmp_path / "source"
    if not (ROOT / ".git").exists():
        pytest.skip("git says which files are released, and this is no clone")
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


@pytest.mark.slow
def test_wheel_and_sdist_of_a_tag_hold_what_they_should(source, tmp_path):
    git(source, "tag", "v7.8.9")
    built = build(source, tmp_path / "dist")
    release_check.check(built, source)
    assert built.metadata()["Version"] == "7.8.9"
    with zipfile.ZipFile(built.wheel) as archive:
        packed = {name.partition("/")[2] for name in archive.namelist()}
    assert {
        "py.typed",
        "references.bib",
        "napari/napari.yaml",
        "recipes/fast.yaml",
        "weights/grey.safetensors",
    } <= packed
    assert {"inspection/page.html.jinja", "benchmarking/report.html.jinja", "licenses/LICENSE"} <= packed
    with tarfile.open(built.sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/test_release.py", "docs/index.md", "examples/plugin/pyproject.toml", "constraints.txt"} <= held
    (source / "torchdenoise" / "recipes" / "notes.txt").write_text("a kind of file that pyproject.toml does not list")
    with pytest.raises(release_check.CheckError, match=r"not in both: torchdenoise/recipes/notes\.txt$"):
        release_check.check(built, source)


@pytest.mark.slow
def test_a_clone_without_tags_leads_to_the_next_version(source):
    assert version(source) == f"{NEXT.base_version}.dev1"


@pytest.mark.slow
def test_commits_after_a_tag_lead_to_the_next_minor_version(source):
    git(source, "tag", "v7.8.9")
    assert version(source) == "7.8.9"
    git(source, "commit", "--quiet", "--allow-empty", "--message", "next")
    assert version(source) == "7.9.0.dev1"


@pytest.mark.slow
def test_the_container_builds_the_whole_package_from_what_is_copied(source, tmp_path):
    context = tmp_path / "context"
    for name in copied():
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy2
        context.mkdir(exist_ok=True)
        copy(source / name, context / name)
    built = build(context, tmp_path / "dist")
    release_check.check(built, source)
    assert built.metadata()["Version"] == str(NEXT)


def test_the_next_version_follows_the_newest_of_the_changelog():
    unreleased, newest = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[:2]
    assert unreleased == "Unreleased"
    assert NEXT.is_devrelease
    assert Version(newest) < NEXT


def instructions(name):
    return [line.removeprefix(f"{name} ") for line in DOCKERFILE if line.startswith(f"{name} ")]


def copied():
    """Return the names of the files and folders that docker copies."""
    return {name for each in instructions("COPY") if "--from" not in each for name in each.split()[:-1]}


def test_the_container_installs_this_package_with_the_tested_versions_and_a_torch_for_the_cpu():
    installing = [each for each in instructions("RUN") if "pip install" in each]
    assert all("--constraint /source/constraints.txt" in each for each in installing)
    assert "--index-url https://download.pytorch.org/whl/cpu" in installing[0]
    assert installing[0].endswith(" torch")
    assert installing[-1].endswith(" /source")


def test_the_container_is_slim_and_does_not_run_as_root():
    *_, last = instructions("FROM")
    assert last.endswith("-slim")
    [user] = instructions("USER")
    assert int(user) > 0
    assert f"useradd --create-home --uid {user} torchdenoise" in instructions("RUN")
    assert instructions("ENTRYPOINT") == ['["torchdenoise"]']
    assert (
        f"Programming Language :: Python :: {last.partition(':')[2].removesuffix('-slim')}"
        in (PROJECT["project"]["classifiers"])
    )


def test_docker_is_given_only_what_is_copied():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied()


def in_conda(requirement):
    """Return the specs of a requirement and of its extras, under the names that conda-forge has."""
    name = {"torch": "pytorch"}.get(requirement.name, requirement.name)
    found = {name: str(requirement.specifier)}
    for text in importlib.metadata.requires(requirement.name) if requirement.extras else []:
        added = Requirement(text)
        if any(added.marker and added.marker.evaluate({"extra": extra}) for extra in requirement.extras):
            found |= {} if added.name == requirement.name else {added.name: str(added.specifier)}
    return found


def specs(lines):
    return {
        name.replace("_", "-"): SpecifierSet(spec.strip()) for name, _, spec in (line.partition(" ") for line in lines)
    }


def test_the_conda_recipe_requires_what_the_package_requires():
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text())
    wanted = {"python": PROJECT["project"]["requires-python"]}
    for requirement in DEPENDENCIES:
        wanted |= in_conda(requirement)
    assert specs(recipe["requirements"]["run"]) == {name: SpecifierSet(spec) for name, spec in wanted.items()}
    building = {each.name: each.specifier for each in map(Requirement, PROJECT["build-system"]["requires"])}
    assert building.items() <= specs(each for each in recipe["requirements"]["host"] if "*" not in each).items()
    assert recipe["about"]["summary"] == PROJECT["project"]["description"]
    [script] = recipe["build"]["python"]["entry_points"]
    assert dict([script.split(" = ")]) == PROJECT["project"]["scripts"]


def workflow():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    return yaml.safe_load(text)


def test_the_workflow_runs_what_continuous_integration_runs():
    assert {"run": "bash .ci/run"} in workflow()["jobs"]["test"]["steps"]
    promised = [each for each in PROJECT["project"]["classifiers"] if ":: Python :: 3." in each]
    tested = workflow()["jobs"]["test"]["strategy"]["matrix"]["python"]
    [setup] = [step for step in workflow()["jobs"]["build"]["steps"] if "setup-python" in step.get("uses", "")]
    for versions in (tested, setup["with"]["python-version"].split()):
        assert [f"Programming Language :: Python :: {each}" for each in versions] == promised


def test_only_publishing_may_do_more_than_read_and_only_after_the_checks():
    jobs = workflow()["jobs"]
    assert workflow()["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "test": {"contents": "read"},
        "napari": {"contents": "read"},
        "build": {"contents": "read"},
        "publish": {"id-token": "write"},
    }
    assert jobs["publish"]["needs"] == ["test", "napari", "build"]
    assert jobs["build"]["if"] == "github.ref_type == 'tag'"
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each) for each in used)
