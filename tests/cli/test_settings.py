"""Where settings come from, which of two wins, and how a wrong one is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import text

from lading.db import Database
from lading.settings import (
    Settings,
    SettingsInvalid,
    SettingsMissing,
    SettingsUnreadable,
    find_settings_file,
    load_settings,
    masked,
    masked_url,
)
from lading.testing.bundles import Published
from tests.cli.program import Program

ROOT = Path(__file__).resolve().parents[2]


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def problems(path: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(path, environ=environ)
    return caught.value.problems


def test_without_a_file_everything_is_below_the_users_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ={"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/none"})
    assert settings.data_dir == "/data/lading"
    assert settings.database.url == "sqlite:////data/lading/lading.sqlite"
    assert settings.store.url == "file:///data/lading/store"
    assert settings.worker.limits.stale_after_s == 900


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    file = write(
        tmp_path / "etc/lading.toml",
        'data_dir = "../var"\n[database]\nurl = "sqlite:///db/one.sqlite"\n'
        '[store]\nurl = "file:store"\n[sources.nas]\nkind = "handover"\nroot = "../nas"\n',
    )
    settings = load_settings(file, environ={})
    assert settings.data_dir == f"{tmp_path}/var"
    assert settings.database.url == f"sqlite:///{tmp_path}/etc/db/one.sqlite"
    assert settings.store.url == f"file://{tmp_path}/etc/store"
    assert settings.sources["nas"].options == {"root": f"{tmp_path}/nas"}


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "lading.toml", "[worker]\nslots = 2\nnice = 3\n")
    settings = load_settings(
        file,
        environ={
            "LADING_WORKER__SLOTS": "7",
            "LADING_DATABASE__URL": "postgresql://me@db/one",
            "LADING_DATABASE__PASSWORD": "pa@ss",
            "LADING_SOURCES__NODE2__KIND": "handover",
            "LADING_SOURCES__NODE2__ROOT": "/mnt/node2",
        },
    )
    assert (settings.worker.slots, settings.worker.nice) == (7, 3)
    assert settings.database.address == "postgresql://me:pa%40ss@db/one"
    assert settings.sources["node2"].options == {"root": "/mnt/node2"}


def test_the_usual_variables_of_s3_clients_count_where_the_settings_say_nothing(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "lading.toml", '[store]\nurl = "s3://bucket/x"\nregion = "here"\n')
    environ = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "there"}
    options = load_settings(file, environ=environ).store.options
    assert (options["access_key"], options["secret_key"]) == ("id", "key")
    assert options["region"] == "here"
    folder = load_settings(file, environ={**environ, "LADING_STORE__URL": "file:///s"}).store
    assert folder.options == {}


def test_the_file_is_found_by_option_variable_folder_and_user_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    users = write(tmp_path / "config/lading/lading.toml", "")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert find_settings_file(environ=environ) == users
    here = write(tmp_path / "lading.toml", "")
    assert find_settings_file(environ=environ) == here
    named = write(tmp_path / "named.toml", "")
    assert find_settings_file(environ={**environ, "LADING_CONFIG": named}) == named
    option = write(tmp_path / "option.toml", "")
    assert find_settings_file(option, environ={**environ, "LADING_CONFIG": named}) == option
    with pytest.raises(SettingsMissing):
        find_settings_file(environ={"LADING_CONFIG": str(tmp_path / "gone.toml")})


def test_a_misspelt_setting_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    file = write(tmp_path / "lading.toml", "[worker]\nslot = 2\n[databse]\nurl = 1\n")
    told = problems(file)
    assert f"worker.slot in {file}: there is no such setting; did you mean slots?" in told
    assert f"databse in {file}: there is no such setting; did you mean database?" in told
    assert (
        "LADING_WORKER__SLOTTS"
        in problems(write(tmp_path / "empty.toml", ""), LADING_WORKER__SLOTTS="2")[0]
    )


def test_a_variable_whose_first_part_is_misspelt_is_refused_too(tmp_path: Path) -> None:
    told = problems(write(tmp_path / "lading.toml", ""), LADING_DATABSE__URL="sqlite:///x")
    assert "did you mean database?" in told[0]


def test_variables_that_a_platform_made_up_are_let_be(tmp_path: Path) -> None:
    file = write(tmp_path / "lading.toml", "")
    environ = {"LADING_PORT": "tcp://10.0.0.1:80", "LADING_SERVICE_HOST": "10.0.0.1"}
    assert load_settings(file, environ=environ).console.port == 8740


def test_a_wrong_value_is_told_with_its_place_what_was_expected_and_found(tmp_path: Path) -> None:
    file = write(
        tmp_path / "lading.toml",
        '[worker]\nslots = "many"\n[log]\nlevel = "loud"\n[console]\nport = 99999\n',
    )
    told = problems(file)
    assert len(told) == 3
    assert any(p.startswith(f"worker.slots in {file}: expected") and "'many'" in p for p in told)
    assert any("log.level" in p and "'loud'" in p for p in told)
    assert any("console.port" in p and "'99999'" in p for p in told)


@pytest.mark.parametrize(
    "text",
    [
        "[database]\nurl = 'postgresql://u:p@ss@host:port/x'",
        "[database]\nurl = 'postgresql://[::1/x'",
        "[database]\nurl = 'mariadb://root@localhost'",
        "[database]\nurl = 'sqlite:'",
        "[database]\nurl = 'sqlite:///'",
        "[database]\nurl = 'sqlite:///:memory:'",
        "[database]\nurl = 'sqlite:///a?mode=ro'",
        '[database]\nurl = "sqlite:////a\\u0000b"',
        "[store]\nurl = 's3://b'\nendpoint = 'not an address'",
        "[store]\nurl = 's3://b'\nendpoint = 'localhost:9000'",
        "[worker]\nrescue_every_s = inf",
        "[worker]\nretry_max_s = inf",
        'data_dir = "a\\u0000b"',
    ],
)
def test_a_value_that_no_part_could_work_with_is_told_as_a_wrong_setting(
    tmp_path: Path, text: str
) -> None:
    told = problems(write(tmp_path / "lading.toml", text + "\n"))
    assert "expected" in told[0]
    assert "p@ss" not in told[0]


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = write(tmp_path / "lading.toml", "\ufeff[worker]\nslots = 3\n")
    assert load_settings(file, environ={}).worker.slots == 3


def test_what_a_wrong_setting_quotes_cannot_steer_a_terminal(bare: Program) -> None:
    (bare.folder / "lading.toml").write_text('"\\u001b[31mred" = 1\n')
    told = bare.run("scan", status=2).stderr
    assert "\x1b" not in told
    assert "\\x1b[31mred" in told


@pytest.mark.parametrize("name", ["#1 100%25", "what? é", "a%2Fb", "two  blanks"])
def test_an_installation_lives_in_a_folder_of_any_name(
    tmp_path: Path, name: str, publish: Callable[..., Published]
) -> None:
    published = publish(1)
    program = Program(tmp_path / "odd" / name)
    program.folder.mkdir(parents=True)
    program.run("init", "--source", f"nas={published.manifest.parent.parent}")
    program.run("scan")
    program.run("queue", "--all-ready")
    program.run("worker", "--drain")
    checked = program.json("config", "check")
    assert checked["ok"] is True
    assert {f.name for f in (tmp_path / "odd").iterdir()} == {name}
    assert (program.folder / "lading-data/store/files").is_dir()
    assert any(str(program.folder) in finding["sentence"] for finding in checked["findings"])


def test_relative_addresses_are_below_a_folder_of_any_name(tmp_path: Path) -> None:
    file = write(
        tmp_path / "#1 100%25?/lading.toml",
        '[database]\nurl = "sqlite:///a%20b"\n[store]\nurl = "file:my%20store"\n',
    )
    settings = load_settings(file, environ={})
    folder = f"{tmp_path}/%231 100%2525%3F"
    assert settings.database.url == f"sqlite:///{folder}/a b"
    assert settings.store.url == f"file://{folder}/my store"


def test_a_folder_that_cannot_be_made_is_named(bare: Program) -> None:
    (bare.folder / "file").touch()
    (bare.folder / "lading.toml").write_text('data_dir = "file/data"\n')
    for command in (["db", "upgrade"], ["up", "--port", "0"]):
        assert "file/data" in str(bare.run(*command, "--json", status=4).error["subject"])
    bare.config = bare.folder / "file/lading.toml"
    assert bare.run("init", "--json", status=2).error["code"] == "settings_not_written"


def test_heartbeats_that_would_race_with_the_rescue_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "lading.toml", "[worker]\nheartbeat_s = 10\nstale_after_s = 20\n")
    assert "a fifth of stale_after_s" in problems(file)[0]


def test_a_file_that_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsUnreadable, match="line 2"):
        load_settings(write(tmp_path / "lading.toml", "[worker]\nslots ==\n"), environ={})


def test_settings_cannot_be_changed_once_loaded(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path / "lading.toml", ""), environ={})
    with pytest.raises(ValidationError):
        settings.worker.slots = 3


@pytest.mark.parametrize(
    ("shown", "hidden"),
    [
        ("postgresql://u:hunter2@host/db", "hunter2"),
        ("mariadb+pymysql://u:hun:t@er2@host/db", "er2@"),
        ("s3://bucket?secret_access_key=hunter2&x=1", "hunter2"),
    ],
)
def test_a_password_in_an_address_is_masked(shown: str, hidden: str) -> None:
    assert hidden not in masked_url(shown)
    assert "***" in masked_url(shown)


def test_no_secret_comes_out_of_config_check_or_an_error(program: Program) -> None:
    assert program.config is not None
    secret = "hunter2-correct-horse"
    with program.config.open("a") as stream:
        stream.write(
            f'\n[sources.cloud]\nkind = "handover"\nroot = "/nonexistent"\napi_token = "{secret}"\n'
        )
    program.env |= {
        "LADING_DATABASE__PASSWORD": secret,
        "LADING_STORE__SECRET_KEY": secret,
        "LADING_STORE__ACCESS_KEY": secret,
    }
    for arguments in (["config", "check"], ["config", "check", "--json"]):
        ended = program.run(*arguments, status=2)
        assert secret not in ended.stdout + ended.stderr
    settings = json.loads(ended.stdout)["settings"]
    assert settings["database"]["password"] == "***"
    assert settings["sources"]["cloud"]["api_token"] == "***"
    program.env = {"LADING_DATABASE__URL": f"nonsense://user:{secret}@host/db"}
    wrong = program.run("batches", status=2)
    assert secret not in wrong.stderr
    assert "LADING_DATABASE__URL" in wrong.stderr


def test_config_check_names_the_file_of_variables_and_a_wrong_line_of_it(program: Program) -> None:
    assert program.config is not None
    file = program.config.parent / ".env"
    assert program.json("config", "check")["environment_file"] is None
    file.write_text("LADING_WORKER__SLOTS=4\n")
    checked = program.json("config", "check")
    assert checked["environment_file"] == str(file)
    assert checked["settings"]["worker"]["slots"] == 4
    assert f"variables: {file}" in program.run("config", "check").stdout
    file.write_text("LADING_WORKER__SLOTS=4\nDB_PASSWORD: hunter2\n")
    wrong = program.run("config", "check", "--json", status=2)
    assert wrong.error["code"] == "settings_unreadable"
    assert "line 2 is not a variable" in wrong.error["message"]
    assert "hunter2" not in wrong.stdout + wrong.stderr


def test_secrets_do_not_show_in_the_representation_of_settings(tmp_path: Path) -> None:
    file = write(tmp_path / "lading.toml", '[store]\nurl = "s3://b"\nsecret_key = "hunter2"\n')
    settings = load_settings(file, environ={})
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(masked(settings))
    assert isinstance(settings.store.secret_key, SecretStr)


@pytest.fixture
def example(tmp_path: Path) -> str:
    """The example, away from a `.env` that somebody may have beside it."""
    return write(tmp_path / "lading.toml", (ROOT / "lading.example.toml").read_text())


def test_the_example_is_a_settings_file_with_nothing_unknown_in_it(example: str) -> None:
    settings = load_settings(example, environ={})
    assert settings.sources["node2"].kind == "handover"


def test_every_setting_has_its_sentence(example: str) -> None:
    models = [Settings] + [
        type(getattr(load_settings(example, environ={}), name))
        for name in ("database", "store", "worker", "scan", "console", "mail", "log")
    ]
    for model in models:
        assert model.__doc__
        for name, field in model.model_fields.items():
            nested = field.description is None and name in Settings.model_fields
            assert nested or (field.description or "").endswith("."), f"{model.__name__}.{name}"


def test_config_check_tells_refusals_from_warnings(program: Program) -> None:
    found = program.json("config", "check")
    assert found["ok"] is True
    levels = {finding["part"]: finding["level"] for finding in found["findings"]}
    assert levels["database"] == levels["clock"] == "fine"
    assert not list((program.folder / "lading-data/store/probe").glob("*"))
    (program.folder.parent / "nas").rename(program.folder.parent / "gone")
    refused = program.run("config", "check", "--json", status=3).json
    assert refused["ok"] is False
    codes = {finding["code"] for finding in refused["findings"]}
    assert "source_missing" in codes
    (program.folder / "lading-data/store").rename(program.folder / "moved")
    broken = program.run("config", "check", "--json", status=4).json
    assert {f["part"] for f in broken["findings"] if f["level"] == "refusal"} == {
        "store",
        "source nas",
    }


@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
def test_a_database_that_can_only_be_read_is_refused_by_config_check(
    bare: Program, database: Database, backend: str
) -> None:
    name = str(database.engine.url.database)
    with database.autocommit() as conn:
        if backend == "postgresql":
            conn.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
        else:
            conn.execute(text("CREATE USER reader IDENTIFIED BY 'x'"))
            conn.execute(text(f"GRANT SELECT ON `{name}`.* TO reader"))
    url = database.engine.url
    if backend == "mariadb":
        url = url.set(username="reader", password="x")
    bare.env["LADING_DATABASE__URL"] = url.render_as_string(hide_password=False)
    found = bare.run("config", "check", "--json", status=4).json["findings"]
    (told,) = [part for part in found if part["part"] == "database"]
    assert told["level"] == "refusal"
    assert "read-only" in told["sentence"] or "denied" in told["sentence"]
    if backend == "mariadb":
        with database.autocommit() as conn:
            conn.execute(text("DROP USER reader"))
