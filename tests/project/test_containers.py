"""The container files agree with each other, with the tree and with the settings (B10).

No engine is needed: what they say is read, and what they name must exist.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lading.settings import Settings, load_settings
from lading.settings.archive_environment import DOCUMENTED
from lading.settings.dotenv_file import read_dotenv

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"
PINNED = re.compile(r"[a-z./-]+:[0-9]+\.[0-9]+[a-z0-9.-]*")
INTERPOLATED = re.compile(r"(?<!\$)\$\{([A-Z_]+)")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with what follows them, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1] != "#"]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    pairs = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(word, rest) for word, rest in pairs]


def final_stage() -> list[tuple[str, str]]:
    whole = instructions()
    begin = max(number for number, (word, _) in enumerate(whole) if word == "FROM")
    return whole[begin:]


def compose() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert isinstance(document, dict)
    return document


def services() -> dict[str, dict[str, Any]]:
    found = compose()["services"]
    assert isinstance(found, dict)
    return found


def is_sent_to_the_builder(name: str) -> bool:
    """What `.dockerignore` lets through; the last line that matches decides."""
    let_through = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.lstrip("!").removeprefix("**/")
        whole = name if not rule.startswith("**/") else name.rpartition("/")[2]
        if fnmatch.fnmatchcase(whole, pattern) or name.startswith(f"{pattern}/"):
            let_through = rule.startswith("!")
    return let_through


@pytest.fixture
def example(tmp_path: Path) -> Settings:
    """The settings of the example, read as Lading reads a `.env`."""
    (tmp_path / "lading.toml").write_text("")
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    return load_settings(str(tmp_path / "lading.toml"), environ={})


def variables_of_example(*, with_comments: bool) -> dict[str, str]:
    begin = r"^(?:# )?" if with_comments else "^"
    found = re.findall(rf"{begin}([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    assert len(dict(found)) == len(found)
    return dict(found)


def test_every_file_that_the_image_copies_is_there_and_sent_to_the_builder() -> None:
    copied = [
        name
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for name in shlex.split(rest)[:-1]
    ]
    assert "src" in copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if not is_sent_to_the_builder(name)] == []


def test_nothing_else_is_sent_to_the_builder() -> None:
    kept_out = (".env", ".git", ".venv", "tests", "lading-data", "try", "docs", "lading.toml")
    assert [name for name in kept_out if is_sent_to_the_builder(name)] == []
    assert is_sent_to_the_builder("src/lading/py.typed")
    assert not is_sent_to_the_builder("src/lading/__pycache__")


def test_the_image_has_all_that_the_package_is_built_from() -> None:
    copied = " ".join(rest for word, rest in instructions() if word == "COPY").split()
    project = (ROOT / "pyproject.toml").read_text()
    needed = [
        *re.findall(r'readme = "(\S+)"', project),
        *re.findall(r'files = \["(\w+)"\]', project),
    ]
    assert needed == ["README.md", "LICENSE"]
    assert [name for name in needed if name not in copied] == []


def test_the_image_runs_the_program_without_rights_and_with_nothing_to_build_with() -> None:
    stage = final_stage()
    (user,) = [rest for word, rest in stage if word == "USER"]
    assert int(user.split(":")[0]) > 0
    assert not any("pip" in rest or "apt" in rest for word, rest in stage if word == "RUN")
    last = dict(stage)
    assert json.loads(last["ENTRYPOINT"]) == ["lading"]
    assert json.loads(last["CMD"]) == ["archive", "run"]
    build = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert len(build) == 1
    assert "pip install -c constraints.txt '.[postgres,archive]'" in build[0]
    assert "pip uninstall" in build[0]


def test_every_image_is_pinned_by_its_version() -> None:
    (python,) = [rest for word, rest in instructions() if word == "ARG"]
    images = [python.removeprefix("PYTHON=")]
    images += [service["image"] for service in services().values() if "build" not in service]
    assert len(images) == 3
    assert [image for image in images if PINNED.fullmatch(image) is None] == []
    required = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    used = re.search(r"python:3\.(\d+)", python)
    assert required is not None
    assert used is not None
    assert int(used[1]) >= int(required[1])


def test_services_name_volumes_and_services_that_there_are() -> None:
    volumes = set(compose()["volumes"])
    mounted: set[str] = set()
    for name, service in services().items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in volumes or source.startswith("./"), f"{name}: {source}"
            mounted |= {source} & volumes
        for other, how in service.get("depends_on", {}).items():
            assert other in services()
            if how["condition"] == "service_healthy":
                assert services()[other]["healthcheck"]["test"]
            # A service of a profile is not there without it, and must not be waited for then.
            assert ("profiles" in services()[other]) == (how.get("required") is False)
    assert mounted == volumes
    assert "logs" in volumes


def test_the_app_reads_dot_env_and_logs_into_the_volume_of_logs(tmp_path: Path) -> None:
    app = services()["app"]
    assert app["env_file"] == ".env"
    logs = next(mount.split(":")[1] for mount in app["volumes"] if mount.startswith("logs:"))
    (tmp_path / "lading.toml").write_text("")
    settings = load_settings(str(tmp_path / "lading.toml"), environ=app["environment"])
    assert settings.log.file is not None
    assert settings.log.file.startswith(f"{logs}/")
    data = next(mount.split(":")[1] for mount in app["volumes"] if mount.startswith("data:"))
    assert f"LADING_DATA_DIR={data}" in dict(final_stage())["ENV"]
    made = " ".join(rest for word, rest in final_stage() if word == "RUN")
    assert f"lading {data} {logs}" in f"{made}"


def test_every_variable_that_compose_fills_in_is_in_the_example() -> None:
    filled_in = set(INTERPOLATED.findall((ROOT / "compose.yaml").read_text()))
    assert "DB_PASSWORD" in filled_in
    assert filled_in - variables_of_example(with_comments=False).keys() == set()


def test_the_example_is_an_installation_that_compose_can_start(example: Settings) -> None:
    options = example.sources["archive"].options
    assert options["bucket"] == "archive"
    assert options["endpoint"] == "http://s3:9000"
    assert (options["dry_run"], options["safe_run"], options["allow_http"]) == (True, False, True)
    assert example.database.address == "postgresql://lading:change-me@postgres:5432/lading"
    assert {"s3", "postgres"} <= services().keys()
    assert "--addr :9000 " in services()["s3"]["command"][0]


def test_every_name_in_the_example_is_one_that_counts(tmp_path: Path) -> None:
    named = variables_of_example(with_comments=True)
    assert set(DOCUMENTED) <= named.keys()
    unknown = {name for name in named if not name.startswith("LADING_")} - set(DOCUMENTED)
    assert unknown == set()
    (tmp_path / "lading.toml").write_text("")
    everything = {name: value or "x" for name, value in named.items()}
    settings = load_settings(str(tmp_path / "lading.toml"), environ=everything)
    assert settings.store.options["secret_key"] == "x"
    assert settings.mail.account is not None
    without = {name: value for name, value in named.items() if "LADING_" in name}
    assert set(settings.origins.values()) >= without.keys()


def test_the_example_is_read_alike_by_lading_and_by_a_shell() -> None:
    ours = read_dotenv(str(EXAMPLE))
    assert ours == variables_of_example(with_comments=False)
    said = subprocess.run(
        ["sh", "-c", f'set -a; . "{EXAMPLE}"; printf %s "$DB_PASSWORD $AWS_ENDPOINT_URL"'],
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == f"{ours['DB_PASSWORD']} {ours['AWS_ENDPOINT_URL']}"


@pytest.mark.parametrize(("name", "kept_out"), [(".env", True), (".env.example", False)])
def test_secrets_are_kept_out_of_version_control(name: str, kept_out: bool) -> None:
    rules = (ROOT / ".gitignore").read_text().splitlines()
    assert (name in rules) is kept_out
    assert not any(fnmatch.fnmatchcase(".env.example", rule) for rule in rules)
