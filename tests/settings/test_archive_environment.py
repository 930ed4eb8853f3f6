"""The documented names of an archive's environment: what each means, and which of two wins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from lading.db import open_database
from lading.settings import Settings, SettingsInvalid, load_settings, masked
from lading.settings.archive_environment import DOCUMENTED
from lading.sources.archive.options import parse_options
from lading.testing.servers_db import Backend, Server

BUCKET = {"BUCKET_NAME": "digitised"}
ACCESS = {
    "AWS_ACCESS_KEY_ID": "the-key-id",
    "AWS_SECRET_ACCESS_KEY": "the-secret-key",
    "AWS_SESSION_TOKEN": "the-session-token",
}
DATABASE = {
    "DB_HOST": "db.example",
    "DB_NAME": "archive",
    "DB_USER": "importer",
    "DB_PASSWORD": "p@ss/word:1%",
}
SMTP = {"SMTP_HOST": "mail.example", "SMTP_FROM": "a@example.org", "SMTP_TO": "b@x.org, c@x.org"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with no settings file in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(environ: dict[str, str], file: str | None = None) -> Settings:
    """The settings of `environ`, with a settings file of this text if there is to be one."""
    if file is not None:
        Path("lading.toml").write_text(file)
    return load_settings(environ={"XDG_CONFIG_HOME": "/nonexistent", **environ})


def problems(environ: dict[str, str], file: str | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        load(environ, file)
    return caught.value.problems


def test_a_bucket_and_nothing_else_is_a_whole_installation(here: Path) -> None:
    settings = load(BUCKET)
    assert settings.sources["archive"].kind == "archive"
    assert settings.sources["archive"].options == {"bucket": "digitised"}
    assert settings.data_dir == f"{here}/lading-data"
    assert settings.database.url == f"sqlite:///{here}/lading-data/lading.sqlite"


def test_without_a_bucket_there_is_no_archive_and_common_names_mean_nothing() -> None:
    settings = load({**DATABASE, **SMTP, "ACH_DRY_RUN": "true", "XDG_DATA_HOME": "/data"})
    assert settings.sources == {}
    assert settings.data_dir == "/data/lading"
    assert settings.database.url.startswith("sqlite:")
    assert settings.mail.account is None


def test_access_to_the_bucket_comes_from_the_variables_of_s3_clients() -> None:
    environ = {
        **BUCKET,
        **ACCESS,
        "AWS_DEFAULT_REGION": "nowhere",
        "AWS_REGION": "eu-south-1",
        "AWS_ENDPOINT_URL": "https://any.example",
        "AWS_ENDPOINT_URL_S3": "https://s3.example",
    }
    assert load(environ).sources["archive"].options == {
        "bucket": "digitised",
        "region": "eu-south-1",
        "endpoint": "https://s3.example",
        "access_key": "the-key-id",
        "secret_key": "the-secret-key",
        "session_token": "the-session-token",
    }


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [("http://s3:9000", True), ("HTTP://s3:9000", True), ("https://s3:9000", None)],
)
def test_an_endpoint_without_tls_in_the_variable_is_meant_as_it_is_written(
    endpoint: str, allowed: bool | None
) -> None:
    options = load({**BUCKET, "AWS_ENDPOINT_URL": endpoint}).sources["archive"].options
    assert options.get("allow_http") is allowed


def test_a_source_that_forbids_http_is_not_overruled_by_a_variable() -> None:
    file = '[sources.digi]\nkind = "archive"\nallow_http = false\n'
    options = load({**BUCKET, "AWS_ENDPOINT_URL": "http://s3:9000"}, file).sources["digi"].options
    assert options["allow_http"] is False
    assert options["endpoint"] == "http://s3:9000"


def test_an_archive_of_the_file_is_completed_and_no_second_one_made() -> None:
    file = '[sources.digi]\nkind = "archive"\nregion = "eu-south-1"\nexcluded = ["TEST/"]\n'
    settings = load({**BUCKET, **ACCESS, "AWS_REGION": "there"}, file)
    assert list(settings.sources) == ["digi"]
    options = settings.sources["digi"].options
    assert (options["bucket"], options["region"]) == ("digitised", "eu-south-1")
    assert options["excluded"] == ["TEST/"]
    assert options["secret_key"] == "the-secret-key"


def test_what_an_archive_says_itself_comes_before_the_variables() -> None:
    file = '[sources.digi]\nkind = "archive"\nbucket = "other"\naccess_key = "own"\n'
    options = load({**BUCKET, **ACCESS}, file).sources["digi"].options
    assert options == {"bucket": "other", "access_key": "own"}


def test_an_anonymous_archive_is_not_given_keys() -> None:
    file = '[sources.digi]\nkind = "archive"\nanonymous = true\n'
    options = load({**BUCKET, **ACCESS}, file).sources["digi"].options
    assert options == {"bucket": "digitised", "anonymous": True}


def test_options_of_the_unnamed_archive_may_come_from_lading_variables_alone() -> None:
    settings = load({**BUCKET, "LADING_SOURCES__ARCHIVE__PREFIX": "media"})
    assert settings.sources["archive"].kind == "archive"
    assert settings.sources["archive"].options == {"bucket": "digitised", "prefix": "media"}


def test_a_source_of_another_kind_that_has_the_name_is_told_of() -> None:
    told = problems(BUCKET, '[sources.archive]\nkind = "handover"\nroot = "x"\n')
    assert len(told) == 1
    assert told[0].startswith("BUCKET_NAME: ")


def test_other_sources_stay_and_get_nothing_of_the_archive() -> None:
    file = '[sources.nas]\nkind = "handover"\nroot = "/nas"\n'
    settings = load({**BUCKET, **ACCESS, "ACH_DRY_RUN": "1"}, file)
    assert settings.sources["nas"].options == {"root": "/nas"}
    assert settings.sources["archive"].options["dry_run"] is True


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", "On", " true "])
def test_a_run_is_made_dry_and_safe_by_any_word_for_yes(word: str) -> None:
    options = load({**BUCKET, "ACH_DRY_RUN": word, "ACH_SAFE_RUN": word}).sources["archive"].options
    assert (options["dry_run"], options["safe_run"]) == (True, True)


@pytest.mark.parametrize("word", ["false", "0", "No", "OFF"])
def test_any_word_for_no_says_so_too(word: str) -> None:
    options = load({**BUCKET, "ACH_DRY_RUN": word}).sources["archive"].options
    assert options["dry_run"] is False
    assert "safe_run" not in options


@pytest.mark.parametrize("word", ["", "ture", "2", "true false", "\x1b[31m"])
def test_any_other_word_is_an_error_and_never_a_run_that_writes(word: str) -> None:
    told = problems({**BUCKET, "ACH_DRY_RUN": word, "ACH_SAFE_RUN": word})
    assert [line.split(":")[0] for line in told] == ["ACH_DRY_RUN", "ACH_SAFE_RUN"]
    assert "expected true or false" in told[0]
    assert "\x1b" not in told[0]


def test_how_to_run_comes_from_lading_variables_then_ach_then_the_file() -> None:
    file = '[sources.digi]\nkind = "archive"\ndry_run = false\nsafe_run = true\n'
    options = load({**BUCKET, "ACH_DRY_RUN": "true"}, file).sources["digi"].options
    assert (options["dry_run"], options["safe_run"]) == (True, True)
    environ = {**BUCKET, "ACH_DRY_RUN": "true", "LADING_SOURCES__DIGI__DRY_RUN": "false"}
    assert load(environ, file).sources["digi"].options["dry_run"] == "false"


def test_the_database_is_postgresql_with_the_password_kept_apart() -> None:
    database = load({**BUCKET, **DATABASE}).database
    assert database.url == "postgresql://importer@db.example:5432/archive"
    assert database.address == "postgresql://importer:p%40ss%2Fword%3A1%25@db.example:5432/archive"


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("10.0.0.7", "6432", "postgresql://importer@10.0.0.7:6432/archive"),
        ("::1", "5432", "postgresql://importer@[::1]:5432/archive"),
        (
            "/run/postgresql",
            "",
            "postgresql://importer@/archive?host=%2Frun%2Fpostgresql&port=5432",
        ),
    ],
)
def test_the_database_may_be_at_an_address_or_in_a_socket(
    host: str, port: str, address: str
) -> None:
    assert load({**BUCKET, **DATABASE, "DB_HOST": host, "DB_PORT": port}).database.url == address


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DB_HOST", "db:5432"),
        ("DB_HOST", "me@db"),
        ("DB_HOST", "db/archive"),
        ("DB_HOST", "postgresql://db"),
        ("DB_HOST", ""),
        ("DB_NAME", ""),
        ("DB_NAME", "archive?host=elsewhere"),
        ("DB_PORT", "0"),
        ("DB_PORT", "65536"),
        ("DB_PORT", "five"),
        ("DB_PORT", "\u0665"),
    ],
)
def test_a_database_that_cannot_be_meant_is_told_with_its_variable(
    variable: str, value: str
) -> None:
    (told,) = problems({**BUCKET, **DATABASE, variable: value})
    assert told.startswith(f"{variable}: ")
    assert DATABASE["DB_PASSWORD"] not in told


def test_a_database_of_the_file_or_of_lading_variables_comes_first() -> None:
    file = '[database]\nurl = "postgresql://me@own.example/own"\n'
    database = load({**BUCKET, **DATABASE}, file).database
    assert (database.url, database.password) == ("postgresql://me@own.example/own", None)
    environ = {**BUCKET, **DATABASE, "LADING_DATABASE__URL": "postgresql://x@y/z"}
    assert load(environ).database.address == "postgresql://x@y/z"


def test_a_password_of_lading_comes_before_the_documented_one() -> None:
    environ = {**BUCKET, **DATABASE, "LADING_DATABASE__PASSWORD": "better"}
    assert load(environ).database.address == "postgresql://importer:better@db.example:5432/archive"


@pytest.mark.parametrize("by_socket", [False, True])
def test_a_real_database_is_reached_by_the_documented_names(
    server_of: Callable[[Backend], Server], by_socket: bool
) -> None:
    url = server_of("postgresql").url
    environ = {**BUCKET, "DB_NAME": str(url.database), "DB_USER": str(url.username)}
    environ |= {"DB_PORT": str(url.port), "DB_HOST": str(url.host)}
    if url.password:
        environ["DB_PASSWORD"] = str(url.password)
    if by_socket:
        db = open_database(load(environ).database.address)
        with db.read() as conn:
            folders = conn.scalar(text("SHOW unix_socket_directories"))
        db.close()
        if not folders:
            pytest.skip("this server has no socket")
        environ["DB_HOST"] = str(folders).split(",")[0]
    db = open_database(load(environ).database.address)
    with db.read() as conn:
        assert conn.scalar(text("SELECT current_database()")) == url.database
    db.close()


def test_mail_goes_where_the_documented_names_say() -> None:
    account = load({**BUCKET, **SMTP, "SMTP_USER": "u", "SMTP_PASSWORD": "pw"}).mail.account
    assert account is not None
    assert (account.host, account.port, account.security) == ("mail.example", 587, "starttls")
    assert (account.sender, account.recipients) == ("a@example.org", ("b@x.org", "c@x.org"))
    assert (account.user, account.password) == ("u", "pw")


def test_the_port_of_mail_over_tls_means_tls() -> None:
    account = load({**BUCKET, **SMTP, "SMTP_PORT": "465"}).mail.account
    assert account is not None
    assert (account.port, account.security) == (465, "tls")


def test_a_mail_server_of_the_file_is_not_mixed_with_the_documented_one() -> None:
    file = '[mail]\nhost = "own"\nsender = "x@y.org"\nrecipients = ["z@y.org"]\n'
    account = load({**BUCKET, **SMTP, "SMTP_USER": "u", "SMTP_PASSWORD": "pw"}, file).mail.account
    assert account is not None
    assert (account.host, account.user, account.password) == ("own", None, None)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"SMTP_TO": "a@x.org"}, "SMTP_HOST"),
        ({**SMTP, "SMTP_PORT": "x"}, "SMTP_PORT"),
        ({**SMTP, "SMTP_FROM": "Me <a@x.org>"}, "SMTP_FROM"),
        ({**SMTP, "SMTP_TO": "a@x.org\nBcc: b@x.org"}, "SMTP_TO"),
    ],
)
def test_mail_that_cannot_be_meant_is_told_with_its_variable(
    environ: dict[str, str], variable: str
) -> None:
    (told,) = problems({**BUCKET, **environ})
    assert told.startswith(f"{variable}: ")


def test_each_setting_knows_which_variable_or_file_gave_it() -> None:
    environ = {**BUCKET, **ACCESS, **DATABASE, "ACH_DRY_RUN": "yes", "LADING_WORKER__SLOTS": "3"}
    file = '[scan]\nevery_s = 60\n[sources.nas]\nkind = "handover"\nroot = "/nas"\n'
    origins = load(environ, file).origins
    assert origins["sources", "archive", "bucket"] == "BUCKET_NAME"
    assert origins["sources", "archive", "secret_key"] == "AWS_SECRET_ACCESS_KEY"
    assert origins["sources", "archive", "dry_run"] == "ACH_DRY_RUN"
    assert origins["database", "password"] == "DB_PASSWORD"
    assert origins["worker", "slots"] == "LADING_WORKER__SLOTS"
    assert origins["scan", "every_s"] == origins["sources", "nas", "root"] == "file"
    assert ("log", "level") not in origins


def test_a_wrong_endpoint_is_told_with_the_variable_that_gave_it() -> None:
    told = problems({"AWS_ENDPOINT_URL": "not an address"})
    assert told[0].startswith("AWS_ENDPOINT_URL: expected an address")


def test_no_secret_of_the_environment_is_shown_anywhere() -> None:
    mail = {**SMTP, "SMTP_USER": "me", "SMTP_PASSWORD": "mail-secret"}
    settings = load({**BUCKET, **ACCESS, **DATABASE, **mail})
    source = settings.sources["archive"]
    shown = repr(settings) + str(source) + json.dumps(masked(settings))
    shown += json.dumps(masked(source.options)) + repr(settings.mail.account)
    shown += settings.model_dump_json()
    secrets = [*ACCESS.values(), DATABASE["DB_PASSWORD"], "p%40ss", "mail-secret"]
    assert [secret for secret in secrets if secret in shown] == []
    assert source.options["secret_key"] == ACCESS["AWS_SECRET_ACCESS_KEY"]


def test_the_archive_s_source_takes_what_the_names_say() -> None:
    environ = {**BUCKET, **ACCESS, "AWS_REGION": "eu-south-1", "AWS_ENDPOINT_URL": "http://s3:9000"}
    settings = load({**environ, "ACH_DRY_RUN": "yes", "ACH_SAFE_RUN": "no"})
    options = parse_options("archive", settings.sources["archive"].options)
    assert (options.dry_run, options.safe_run) == (True, False)
    assert (options.bucket.bucket, options.bucket.region) == ("digitised", "eu-south-1")
    assert (options.bucket.endpoint, options.bucket.allow_http) == ("http://s3:9000", True)
    assert options.bucket.secret_key == ACCESS["AWS_SECRET_ACCESS_KEY"]
    assert ACCESS["AWS_SECRET_ACCESS_KEY"] not in repr(options)


def test_every_documented_name_counts() -> None:
    first = dict.fromkeys(DOCUMENTED, "one") | {
        "AWS_ENDPOINT_URL": "https://one.example",
        "AWS_ENDPOINT_URL_S3": "https://one.example",
        "DB_PORT": "1",
        "SMTP_PORT": "1",
        "SMTP_FROM": "one@x.org",
        "SMTP_TO": "one@x.org",
        "ACH_DRY_RUN": "1",
        "ACH_SAFE_RUN": "1",
    }
    other = {name: value.replace("one", "two").replace("1", "0") for name, value in first.items()}
    other |= {"DB_PORT": "2", "SMTP_PORT": "2"}
    shadows = {"AWS_ENDPOINT_URL": "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION": "AWS_REGION"}
    for name in DOCUMENTED:
        environ = {key: value for key, value in first.items() if key != shadows.get(name)}
        assert load(environ | {name: other[name]}) != load(environ), name
