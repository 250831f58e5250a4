"""The image and its composition, held to the code without an engine: what is copied is there, and commands parse."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from service import VERSION
from service import __main__ as command_line
from service.settings import Settings
from service.store.copies import find_program
from tests.eventually import eventually_now
from tests.journey.harness import free_port
from tests.programs import need_program

ROOT = Path(__file__).parent.parent
PATCHED = re.compile(r"^[a-z0-9./-]+:\d+\.\d+(\.\d+)?-[a-z-]+$")
VARIABLE = re.compile(r"\$\{(\w+)(:-[^}]*)?")


class Step(NamedTuple):
    """One instruction of the Dockerfile."""

    name: str
    rest: str


def steps() -> list[Step]:
    """The instructions of the Dockerfile, each on one line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [Step(*line.split(" ", 1)) for line in joined.splitlines() if line.strip()]


def rest_of(name: str) -> list[str]:
    """What stands behind every instruction of a name."""
    return [step.rest for step in steps() if step.name == name]


def copied() -> Iterator[tuple[str, str]]:
    """Yield what is copied from the repository, and where to."""
    for rest in rest_of("COPY"):
        if not rest.startswith("--from"):
            *sources, target = shlex.split(rest)
            yield from ((source, target) for source in sources)


def composition() -> dict[str, Any]:
    """The composition, with what is shared filled in."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


OURS = [name for name, service in composition()["services"].items() if service.get("build")]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    """Every source of a COPY exists, and .dockerignore, which ignores all else, lets exactly these through."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignored[0] == "*"
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert let_through == {source for source, _ in copied()}
    assert [source for source in let_through if not (ROOT / source).exists()] == []


def test_images_are_pinned() -> None:
    """Every base and every image names version, patch and release of the system."""
    given = dict(rest.split("=", 1) for rest in rest_of("ARG"))
    bases = {rest.split(" ")[0].replace("${PYTHON}", given["PYTHON"]) for rest in rest_of("FROM")}
    others = {service["image"] for name, service in composition()["services"].items() if name not in OURS}
    assert [image for image in bases | others if not PATCHED.match(image)] == []
    assert len(bases) == 1
    assert {composition()["services"][name]["image"] for name in OURS} == {f"colloquy:{VERSION}"}


def test_torch_is_asked_for() -> None:
    """Only the build argument brings torch; what is locked for running has none of it."""
    locked = (ROOT / "requirements/run.txt").read_text()
    assert not re.search(r"^(torch|transformers|detoxify)==", locked, flags=re.MULTILINE)
    assert "MODEL=0" in rest_of("ARG")
    [adding] = [rest for rest in rest_of("RUN") if "TORCH" in rest]
    assert adding.startswith('if [ "${MODEL}" = "1" ]')


def test_the_version_of_torch_is_that_of_the_makefile() -> None:
    """Image and `make model` bring the same one."""
    [told] = re.findall(r"^TORCH \?= (\S+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert f"TORCH={told}" in rest_of("ARG")


def test_it_does_not_run_as_root() -> None:
    """The last user named is a number that is not 0, so that an orchestrator can tell."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", rest_of("USER")[-1])


def parses(arguments: list[str]) -> bool:
    """Answer whether the command line takes these."""
    options = command_line._parser(admin=True).parse_args(arguments)
    return callable(options.run)


def test_every_command_of_the_image_parses() -> None:
    """What the image and the composition start, and what they ask for their health, are commands of the service."""
    [entry], [default], [health] = rest_of("ENTRYPOINT"), rest_of("CMD"), rest_of("HEALTHCHECK")
    assert yaml.safe_load(entry) == ["python", "-m", "service"]
    assert parses(yaml.safe_load(default))
    assert parses(yaml.safe_load(health.partition("CMD ")[2])[3:])
    services = composition()["services"]
    for name in OURS:
        assert parses(services[name]["command"])
        if test := services[name].get("healthcheck", {}).get("test"):
            assert test[:4] == ["CMD", "python", "-m", "service"]
            assert parses(test[4:])
    for alias in (["worker"], ["work"], ["api"], ["serve"], ["migrate"]):
        assert parses(alias)


def test_what_is_set_are_settings() -> None:
    """Names in the environment of our services are settings, and what .env must give stands in its example."""
    known = {field.upper() for field in Settings.__struct_fields__}
    example = (ROOT / ".env.example").read_text()
    services = composition()["services"]
    for name in OURS:
        assert set(services[name]["environment"]) <= known
    needed = {name for name, default in VARIABLE.findall((ROOT / "compose.yaml").read_text()) if not default}
    assert {name for name in needed if f"\n{name}=" not in example} == set()
    image = {pair.partition("=")[0] for rest in rest_of("ENV") for pair in shlex.split(rest)}
    assert {"COLLOQUY_HOME", "HOST", "PORT"} <= image & known


def test_nothing_is_open_that_need_not_be() -> None:
    """Only the API has a port, on this machine alone; the databases are on a network without a way out."""
    found = composition()
    ports = {name: service["ports"] for name, service in found["services"].items() if "ports" in service}
    assert list(ports) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in ports["api"])
    assert found["networks"]["inner"] == {"internal": True}
    assert {tuple(found["services"][name]["networks"]) for name in ("redis", "postgres")} == {("inner",)}
    for name in OURS:
        assert found["services"][name]["read_only"] is True
        assert found["services"][name]["cap_drop"] == ["ALL"]


def test_redis_keeps_what_it_is_given() -> None:
    """It has an append-only file on a volume, and evicts nothing."""
    redis = composition()["services"]["redis"]
    pairs = dict(zip(redis["command"][1::2], redis["command"][2::2], strict=True))
    assert (pairs["--appendonly"], pairs["--maxmemory-policy"]) == ("yes", "noeviction")
    assert any(volume.endswith(":/data") for volume in redis["volumes"])


def test_nothing_starts_before_the_tables_are_there() -> None:
    """API and worker wait for the migrations, and for databases that answer."""
    services = composition()["services"]
    for name in ("api", "worker"):
        waits = {part: how["condition"] for part, how in services[name]["depends_on"].items()}
        assert waits.pop("migrate") == "service_completed_successfully"
        assert set(waits.values()) == {"service_healthy"}
        assert set(waits) == {"redis", "postgres"}
    assert "healthcheck" in services["redis"]
    assert "healthcheck" in services["postgres"]


@pytest.mark.postgres
def test_the_server_can_be_backed_up_by_the_image() -> None:
    """The image's pg_dump is of the major version of the composed server; one of that version is tried here."""
    need_program("initdb", "/usr/lib/postgresql/*/bin/initdb", package="postgresql")
    [packaged] = {found for rest in rest_of("COPY") for found in re.findall(r"postgresql/(\d+)/bin/pg_dump", rest)}
    [installed] = {found for rest in rest_of("RUN") for found in re.findall(r"postgresql-client-(\d+)", rest)}
    image = composition()["services"]["postgres"]["image"]
    assert image.startswith(f"postgres:{packaged}.")
    assert installed == packaged
    assert find_program("pg_dump", least=int(packaged)).major >= int(packaged)


@pytest.mark.slow
def test_what_is_copied_is_enough(tmp_path: Path) -> None:
    """In a folder with nothing but what the image has, `serve` comes up, says that it is well, and ends when asked."""
    place, home, port = tmp_path / "opt", tmp_path / "home", free_port()
    for source, target in copied():
        found, wanted = ROOT / source, place / (source if target in ("./", "requirements/") else target)
        wanted.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, wanted, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(found, wanted)
    environment = {"PATH": os.environ["PATH"], "COLLOQUY_HOME": str(home), "PORT": str(port), "SCORER": "hashed"}
    here: dict[str, Any] = {"cwd": place, "env": environment, "stdin": subprocess.DEVNULL}
    python = [sys.executable, "-B", "-m", "service"]

    def is_well() -> bool:
        return subprocess.run([*python, "health"], **here, check=False).returncode == 0

    assert not is_well()
    with subprocess.Popen([*python, "serve"], **here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        eventually_now(is_well, 60)
        process.terminate()
        assert process.wait(60) == 0
    assert not is_well()
