"""Downloads: verified, named when whole, gone on with when cut, and never outside of the folder."""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.base.errors import LadingError
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.sources.recordings.download_plan import folder_names, plan_download
from lading.sources.recordings.downloading import FAULTS_IN_A_ROW_MAX, download
from lading.sources.recordings.errors import (
    DownloadContested,
    DownloadIncomplete,
    FileInTheWay,
    ManifestInvalid,
    PlaceRefused,
    Sha256Unknown,
    StoredBytesDiffer,
)
from lading.sources.recordings.fetching import RANGE_BYTES, RANGED_BYTES_MIN
from lading.sources.recordings.placing import Destination
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import DownloadProgress, Phase
from lading.storage.keys import KeyRefused
from lading.storage.port import ObjectMissing, StoreUnavailable
from lading.storage.roots import PathEscapesRoot
from lading.testing.servers_s3 import S3Facts
from tests.recordings.downloads import (
    WatchedBucket,
    WatchedStore,
    a_result,
    download_and_die,
    files_below,
    recorded,
    take_in,
)
from tests.recordings.making import (
    FILES,
    REC_ID,
    bucket_repository,
    folder_repository,
    memory_repository,
    own_prefix,
)

MIB = 1024 * 1024
SPAWNED = multiprocessing.get_context("spawn")
ODD = {"notes_a/späte Notiz 100%.txt": 7, "notes_a/a\nb": 3, "camera_0/deep/er/empty.mp4": 0}


@pytest.fixture
def raw() -> WatchedStore:
    return WatchedStore()


@pytest.fixture
def repository(tmp_path: Path, raw: WatchedStore) -> Repository:
    return memory_repository(tmp_path, raw)


def failures_of(call: Callable[[], object]) -> tuple[LadingError, ...]:
    with pytest.raises(DownloadIncomplete) as caught:
        call()
    return caught.value.failures


def part_of(dest: Path) -> Path:
    (part,) = dest.rglob(".*.part")
    return part


def assert_only(dest: Path, expected: dict[str, bytes], folder: str = REC_ID) -> None:
    assert files_below(dest) == {f"{folder}/{path}": body for path, body in expected.items()}


@pytest.mark.parametrize("kind", ["memory", "folder", "radosgw"])
def test_what_was_taken_in_comes_back_and_is_kept_the_second_time(
    kind: str, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    if kind == "memory":
        repository = memory_repository(tmp_path)
    elif kind == "folder":
        repository = folder_repository(tmp_path)
    else:
        repository = bucket_repository(s3_server_of(kind).options(prefix=own_prefix()))
    source, result = take_in(repository, tmp_path, files={**FILES, **ODD})
    dest = tmp_path / "new" / "dest"
    size_bytes = sum(FILES.values()) + sum(ODD.values())

    first = download(repository, [result], dest)

    assert_only(dest, recorded(source))
    assert (first.files_downloaded, first.files_kept) == (len(FILES) + len(ODD), 0)
    assert (first.bytes_transferred, first.bytes_processed) == (size_bytes, size_bytes)
    assert first.folders == (dest / REC_ID,)
    second = download(repository, [result, result], dest)
    assert (second.files_downloaded, second.files_kept) == (0, len(FILES) + len(ODD))
    assert (second.bytes_transferred, second.bytes_processed) == (0, size_bytes)
    assert_only(dest, recorded(source))


def test_it_tells_of_six_boundaries_with_the_figures_of_the_moment(
    repository: Repository, tmp_path: Path
) -> None:
    files = {"camera_0/a": 5, "camera_0/b": 7, "eeg_1/c": 11}
    _, result = take_in(repository, tmp_path, files=files)
    said: list[DownloadProgress] = []
    dest = tmp_path / "dest"
    download(repository, [result], dest, progress=said.append, max_concurrent_files=1)
    (dest / REC_ID / "camera_0" / "b").unlink()

    def brief(each: DownloadProgress) -> tuple[object, ...]:
        figures = (each.files_done, each.bytes_processed, each.bytes_transferred)
        return each.phase, each.modality, each.current_file, figures

    told = [
        (Phase.START, None, None, (0, 0, 0)),
        (Phase.PLAN_DONE, None, None, (0, 0, 0)),
        (Phase.MODALITY_START, "camera", None, (0, 0, 0)),
        (Phase.FILE_DONE, "camera", "camera_0/a", (1, 5, 5)),
        (Phase.FILE_DONE, "camera", "camera_0/b", (2, 12, 12)),
        (Phase.MODALITY_DONE, "camera", None, (2, 12, 12)),
        (Phase.MODALITY_START, "eeg", None, (2, 12, 12)),
        (Phase.FILE_DONE, "eeg", "eeg_1/c", (3, 23, 23)),
        (Phase.MODALITY_DONE, "eeg", None, (3, 23, 23)),
        (Phase.FINISH, None, None, (3, 23, 23)),
    ]
    assert list(map(brief, said)) == told
    assert [(each.files_total, each.bytes_total) for each in said] == [(0, 0)] + [(3, 23)] * 9
    assert {each.recording_hash for each in said if each.modality} == {result.recording_hash}
    said.clear()
    download(repository, [result], dest, progress=said.append)
    assert said[-1].bytes_transferred == 7  # the others were there
    assert said[-1].bytes_processed == 23


def test_the_next_modality_is_fetched_meanwhile_and_told_of_in_its_turn(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    _, result = take_in(repository, tmp_path, files={"camera_0/a": 5, "eeg_1/b": 7})
    other_came = threading.Event()
    said: list[tuple[Phase, str | None]] = []
    threads = set()

    def watch(key: str, _offset: int) -> None:
        if key.endswith("eeg_1/b"):
            other_came.set()
        if key.endswith("camera_0/a"):
            assert other_came.wait(30)

    def progress(each: DownloadProgress) -> None:
        said.append((each.phase, each.modality))
        threads.add(threading.get_ident())

    raw.watch = watch
    download(repository, [result], tmp_path / "dest", progress=progress, max_concurrent_files=2)
    of_modalities = [each for each in said if each[1] is not None]
    assert of_modalities == [
        (phase, modality)
        for modality in ("camera", "eeg")
        for phase in (Phase.MODALITY_START, Phase.FILE_DONE, Phase.MODALITY_DONE)
    ]
    assert threads == {threading.get_ident()}


def test_a_listener_that_raises_changes_nothing(repository: Repository, tmp_path: Path) -> None:
    source, result = take_in(repository, tmp_path, files={"camera_0/a": 5})
    calls = []

    def progress(each: DownloadProgress) -> None:
        calls.append(each)
        raise ValueError("from the listener")

    found = download(repository, [result], tmp_path / "dest", progress=progress)
    assert found.files_downloaded == 1
    assert calls[-1].phase is Phase.FINISH
    assert_only(tmp_path / "dest", recorded(source))


def test_a_process_killed_in_mid_file_leaves_a_part_that_is_gone_on_with(tmp_path: Path) -> None:
    repository = folder_repository(tmp_path)
    source, result = take_in(repository, tmp_path, files={"camera_0/long.mp4": 3 * MIB + 1})
    dest = tmp_path / "dest"
    child = SPAWNED.Process(target=download_and_die, args=(tmp_path, dest, 2 * MIB))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    part = part_of(dest)
    assert list(files_below(dest)) == [str(part.relative_to(dest))]
    assert part.stat().st_size == 2 * MIB

    found = download(repository, [result], dest)

    assert found.bytes_transferred == MIB + 1
    assert found.bytes_processed == 3 * MIB + 1
    assert_only(dest, recorded(source))


def test_a_large_file_comes_in_ranges_and_goes_on_from_where_it_was_stopped(
    tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    options = s3_server_of("radosgw").options(prefix=own_prefix())
    bucket = WatchedBucket(options)
    repository = Repository.of(bucket, bucket_repository(options).catalog)
    size_bytes = RANGED_BYTES_MIN + 2 * RANGE_BYTES + 5
    source, result = take_in(repository, tmp_path, files={"camera_0/long.mp4": size_bytes})
    dest = tmp_path / "dest"
    stop = StopSignal()

    def watch(_key: str, offset: int) -> None:
        if offset >= 4 * RANGE_BYTES:
            raise StoreUnavailable("the network is gone")

    bucket.watch = watch
    (failure,) = failures_of(lambda: download(repository, [result], dest))
    assert isinstance(failure, StoreUnavailable)
    there = part_of(dest).stat().st_size
    assert 0 < there < size_bytes
    stop.request(StopReason.OPERATOR)
    with pytest.raises(Interrupted):
        download(repository, [result], dest, stop=stop)
    assert part_of(dest).stat().st_size == there

    bucket.watch = lambda _key, _offset: None
    bucket.offsets.clear()
    found = download(repository, [result], dest)
    assert found.bytes_transferred == size_bytes - there
    assert min(filter(None, bucket.offsets)) == there
    assert_only(dest, recorded(source))

    shutil.rmtree(dest)
    bucket.offsets.clear()
    download(repository, [result], dest)
    ranges = {offset for offset in bucket.offsets if offset}
    assert ranges == set(range(RANGE_BYTES, size_bytes, RANGE_BYTES))
    assert_only(dest, recorded(source))


def test_a_transfer_that_breaks_off_goes_on_in_the_same_call(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    source, result = take_in(repository, tmp_path, files={"camera_0/long.mp4": 3 * MIB})
    broken: list[int] = []

    def watch(_key: str, offset: int) -> None:
        if offset and offset not in broken:
            broken.append(offset)
            raise StoreUnavailable("the connection broke")

    raw.watch = watch
    found = download(repository, [result], tmp_path / "dest")
    assert broken == [MIB, 2 * MIB]
    assert found.bytes_transferred == 3 * MIB  # no byte twice
    assert_only(tmp_path / "dest", recorded(source))


def test_a_stop_ends_it_between_two_chunks(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    _, result = take_in(repository, tmp_path, files={"camera_0/long.mp4": 4 * MIB})
    stop = StopSignal()
    raw.watch = lambda _key, offset: stop.request(StopReason.SHUTDOWN) if offset == MIB else None
    said: list[Phase] = []
    with pytest.raises(Interrupted) as caught:
        download(
            repository,
            [result],
            tmp_path / "dest",
            stop=stop,
            progress=lambda each: said.append(each.phase),
        )
    assert caught.value.reason is StopReason.SHUTDOWN
    assert part_of(tmp_path / "dest").stat().st_size == 2 * MIB
    assert said == [Phase.START, Phase.PLAN_DONE, Phase.MODALITY_START]


@pytest.mark.parametrize(
    ("left", "bytes_transferred"),
    [(b"not these bytes", 99_985 + 100_000), (b"x" * 200_000, 100_000), (b"x" * 100_000, 100_000)],
    ids=["shorter", "longer", "as long"],
)
def test_a_part_of_other_bytes_is_begun_anew(
    left: bytes, bytes_transferred: int, repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    source, result = take_in(repository, tmp_path, files={"camera_0/a.mp4": 100_000})
    dest = tmp_path / "dest"
    stop = StopSignal()
    raw.watch = lambda key, _: stop.request(StopReason.OPERATOR) if "camera" in key else None
    with pytest.raises(Interrupted):
        download(repository, [result], dest, stop=stop)
    part_of(dest).write_bytes(left)
    found = download(repository, [result], dest)
    assert found.bytes_transferred == bytes_transferred
    assert_only(dest, recorded(source))


def test_what_is_damaged_in_the_store_is_refused_and_the_others_come(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    source, result = take_in(repository, tmp_path)
    place = f"recordings/{REC_ID}"
    damaged, shorter, missing = (
        f"{place}/{name}"
        for name in ("camera_0/seg_0000.mp4", "camera_0/seg_0001.mp4", "eeg_4559/eeg.edf")
    )
    sha256 = hashlib.sha256(recorded(source)["camera_0/seg_0000.mp4"]).hexdigest()
    raw.put(damaged, iter([b"x" * 70_000]))
    raw.put(shorter, iter([b"x"]))
    raw.delete(missing)
    raw.reads.clear()
    said: list[DownloadProgress] = []
    dest = tmp_path / "dest"

    failures = failures_of(lambda: download(repository, [result], dest, progress=said.append))

    assert {each.subject: type(each) for each in failures} == {
        damaged: StoredBytesDiffer,
        shorter: StoredBytesDiffer,
        missing: ObjectMissing,
    }
    (fault,) = (each for each in failures if each.subject == damaged)
    assert sha256 in str(fault.expected)
    assert hashlib.sha256(b"x" * 70_000).hexdigest() in str(fault.found)
    keys = [key for key, _ in raw.reads]
    assert keys.count(damaged) == 1  # it was read from its start, so once is enough
    assert shorter not in keys
    lost = ("camera_0/seg_0000.mp4", "camera_0/seg_0001.mp4", "eeg_4559/eeg.edf")
    assert_only(dest, {k: v for k, v in recorded(source).items() if k not in lost})
    assert said[-1].phase is Phase.FINISH
    assert (said[-1].files_done, said[-1].files_total) == (3, 6)


def test_a_file_that_no_manifest_lists_has_the_hash_its_object_carries(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    names = ("camera_0/good", "camera_0/bad", "camera_0/bare")
    for name, stated in zip(names, (b"good", b"other", None), strict=True):
        key = f"recordings/{REC_ID}/{name}"
        sha256 = hashlib.sha256(stated).hexdigest() if stated else None
        raw.put(key, iter([stated or b"good"]), sha256=sha256)
    raw.turn(f"recordings/{REC_ID}/camera_0/bad", b"fault")
    failures = failures_of(lambda: download(repository, [a_result(*names)], tmp_path / "dest"))
    assert {type(each) for each in failures} == {StoredBytesDiffer, Sha256Unknown}
    assert_only(tmp_path / "dest", {"camera_0/good": b"good"})


def test_a_manifest_that_is_a_ruin_costs_only_its_own_recording(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    source, good = take_in(repository, tmp_path)
    _, bad = take_in(repository, tmp_path, "rec_20260521_000000_ffff")
    raw.put("recordings/rec_20260521_000000_ffff/manifest.json", iter([b"{"]))
    said: list[DownloadProgress] = []
    (failure,) = failures_of(
        lambda: download(repository, [bad, good], tmp_path / "dest", progress=said.append)
    )
    assert isinstance(failure, ManifestInvalid)
    assert_only(tmp_path / "dest", recorded(source))
    assert said[-1].files_total == 2 * len(FILES)
    assert said[-1].bytes_total == 2 * sum(FILES.values())


def test_what_somebody_put_there_stays_unless_it_shall_be_replaced(
    repository: Repository, tmp_path: Path
) -> None:
    source, result = take_in(repository, tmp_path)
    dest = tmp_path / "dest"
    for name in ("camera_0/seg_0000.mp4", "mic_1/audio.wav"):
        (dest / REC_ID / name).parent.mkdir(parents=True)
        (dest / REC_ID / name).write_bytes(b"mine")
    (dest / REC_ID / "mic_1/audio.wav").write_bytes(b"m" * 30_000)  # of the same size
    (dest / REC_ID / "notes_a/notes.txt").mkdir(parents=True)

    failures = failures_of(lambda: download(repository, [result], dest))

    assert [type(each) for each in failures] == [FileInTheWay] * 3
    assert (dest / REC_ID / "camera_0/seg_0000.mp4").read_bytes() == b"mine"
    assert (dest / REC_ID / "mic_1/audio.wav").read_bytes() == b"m" * 30_000
    (failure,) = failures_of(lambda: download(repository, [result], dest, overwrite=True))
    assert failure.subject == f"{REC_ID}/notes_a/notes.txt"
    (dest / REC_ID / "notes_a/notes.txt").rmdir()
    assert download(repository, [result], dest, overwrite=True).files_downloaded == 1
    assert_only(dest, recorded(source))


def test_no_link_is_followed_out_of_the_destination(repository: Repository, tmp_path: Path) -> None:
    files = {"camera_0/a": 5, "eeg_1/b": 7, "mic_1/c": 9, "mic_1/d": 9}
    source, result = take_in(repository, tmp_path, files=files)
    outside, dest = tmp_path / "outside", tmp_path / "dest"
    outside.mkdir()
    (outside / "victim").write_bytes(b"victim")
    (dest / REC_ID / "mic_1").mkdir(parents=True)
    (dest / REC_ID / "camera_0").symlink_to(outside)
    (dest / REC_ID / "eeg_1").symlink_to(outside / "nowhere")
    (dest / REC_ID / "mic_1/c").symlink_to(outside / "victim")
    # The name of a part that can be foreseen, as a second name of a file that is not ours.
    sha256 = hashlib.sha256(recorded(source)["mic_1/d"]).hexdigest()
    part = f".{sha256}-{hashlib.sha256(b'd').hexdigest()[:12]}.part"
    os.link(outside / "victim", dest / REC_ID / "mic_1" / part)

    for overwrite in (False, True):
        failures = failures_of(
            lambda o=overwrite: download(repository, [result], dest, overwrite=o)  # type: ignore[misc]
        )
        assert [type(each) for each in failures] == [FileInTheWay] * 3
    assert files_below(outside) == {"victim": b"victim"}
    assert (dest / REC_ID / "mic_1/d").read_bytes() == recorded(source)["mic_1/d"]
    assert not list(dest.rglob("*.part"))


def test_hostile_names_are_refused_and_never_leave_the_destination(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    place = f"recordings/{REC_ID}"
    stored = ["%2e%2e/%2e%2e/up", "%2Fetc%2Fevil", "nul%00", "%ff", "l" + "%C3%A9" * 30 + "o" * 60]
    stored += ["x%2F..%2Fy", "camera/ok", "camera%2Fok", "n/" + "o%C3%A9" * 35]
    for name in stored:
        raw.put(f"{place}/{name}", iter([b"evil"]), sha256=hashlib.sha256(b"evil").hexdigest())
    keys = [*stored, "../up", "/etc/evil", "a//b"]
    dest = tmp_path / "dest"
    failures = failures_of(lambda: download(repository, [a_result(*keys)], dest))
    fine = {"l" + "é" * 30 + "o" * 60, "n/" + "oé" * 35, "camera/ok"}
    assert_only(dest, dict.fromkeys(fine, b"evil"))
    assert {p.name for p in tmp_path.iterdir()} == {"assets", "dest"}
    assert {type(each) for each in failures} <= {PathEscapesRoot, PlaceRefused, KeyRefused}
    assert len(failures) == len(keys) - len(fine)
    elsewhere = a_result("a", location="recordings/../../etc")
    assert len(failures_of(lambda: download(repository, [elsewhere], dest))) == 1


def test_recordings_that_share_an_identifier_do_not_mix(
    repository: Repository, tmp_path: Path
) -> None:
    one, other = (a_result("a", recording_hash=digit * 64) for digit in "12")
    capital = a_result("a", name=REC_ID.upper().replace("REC", "rec"), recording_hash="3" * 64)
    odd = a_result("a", name="../up", recording_hash="4" * 64)
    assert folder_names([one, odd]) == {"1" * 64: REC_ID, "4" * 64: "4" * 64}
    assert folder_names([other, one, capital]) == {
        "2" * 64: f"{REC_ID}-{'2' * 12}",
        "1" * 64: f"{REC_ID}-{'1' * 12}",
        "3" * 64: f"{capital.recording.metadata['manifest_recording_id']}-{'3' * 12}",
    }


@pytest.mark.parametrize("apart", [True, False])
def test_names_that_differ_in_case_are_refused_where_they_are_the_same(
    apart: bool, repository: Repository, tmp_path: Path
) -> None:
    result = a_result("camera_0/A.mp4", "camera_0/a.mp4", "camera_0/b.mp4")
    plan = plan_download(
        repository,
        [result],
        stop=StopSignal(),
        tells_case_apart=lambda: apart,
        max_concurrent_files=1,
    )
    assert [type(each) for each in plan.refused] == ([] if apart else [PlaceRefused])
    assert plan.files_total == 3
    assert len(plan.modalities[0].files) == (3 if apart else 2)
    with Destination(tmp_path / "dest") as destination:
        there = (tmp_path / "DEST").exists()  # what this file system really does
        assert destination.tells_case_apart() is not there
    assert not any((tmp_path / "dest").iterdir())


def test_a_file_that_another_download_has_in_hand_is_left_to_it(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    _, result = take_in(repository, tmp_path, files={"camera_0/a": 5})
    stop = StopSignal()
    raw.watch = lambda key, _: stop.request(StopReason.OPERATOR) if "camera" in key else None
    with pytest.raises(Interrupted):
        download(repository, [result], tmp_path / "dest", stop=stop)
    with open(part_of(tmp_path / "dest"), "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (failure,) = failures_of(lambda: download(repository, [result], tmp_path / "dest"))
    assert isinstance(failure, DownloadContested)
    assert download(repository, [result], tmp_path / "dest").files_downloaded == 1


def test_a_store_that_is_away_is_not_asked_for_every_file(
    repository: Repository, raw: WatchedStore, tmp_path: Path
) -> None:
    files = {f"camera_0/{number:03}": 3 for number in range(4 * FAULTS_IN_A_ROW_MAX)}
    _, result = take_in(repository, tmp_path, files=files)

    def watch(key: str, _offset: int) -> None:
        if "camera" in key:
            raise StoreUnavailable("nobody answers", subject=key)

    raw.watch = watch
    with pytest.raises(DownloadIncomplete) as caught:
        download(repository, [result], tmp_path / "dest", max_concurrent_files=2)
    assert len(caught.value.failures) == FAULTS_IN_A_ROW_MAX
    assert caught.value.files_not_begun == 3 * FAULTS_IN_A_ROW_MAX
    asked = {key for key, _ in raw.reads if "camera" in key}
    assert len(asked) < 2 * FAULTS_IN_A_ROW_MAX


def _as_in(*arguments: str) -> bool:
    return subprocess.run([*arguments, "true"], check=False, capture_output=True).returncode == 0


@pytest.fixture
def namespace() -> list[str]:
    """The command that runs another with mounts of its own."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        if shutil.which("unshare") and _as_in(*command):
            return command
    if os.environ.get("CI") == "true" or os.environ.get("LADING_REQUIRE_ALL") == "1":
        pytest.fail("a private mount namespace is required, and unshare does not give one")
    pytest.skip("unshare gives no private mount namespace here")


def test_a_disk_that_is_full_or_read_only_ends_it_and_says_so(
    namespace: list[str], tmp_path: Path
) -> None:
    repository = folder_repository(tmp_path)
    take_in(repository, tmp_path, files={f"camera_0/{n}": 1_500_000 for n in range(8)})
    disk = tmp_path / "disk"
    disk.mkdir()
    script = textwrap.dedent("""
        import subprocess, sys
        from pathlib import Path
        from lading.catalog.catalog import Catalog
        from lading.sources.recordings.downloading import download
        from lading.sources.recordings.errors import DestinationUnusable
        from lading.sources.recordings.querying import query
        from lading.sources.recordings.repository import Repository
        from lading.storage.folder import FolderStore
        root, disk = map(Path, sys.argv[1:])
        repository = Repository.of(FolderStore(root / "raw"), Catalog.open(root / "assets"))
        (result,) = query(repository.catalog)
        def ends(dest, word):
            try:
                download(repository, [result], dest)
            except DestinationUnusable as error:
                assert word in str(error), error
            else:
                sys.exit("it did not end")
        ends(disk / "dest", "No space left")
        assert not [p for p in (disk / "dest").rglob("*[0-9]") if p.stat().st_size not in
                    (0, 1_500_000) and p.is_file()]
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        ends(disk / "other", "Read-only")
        ends(disk / "dest", "Read-only")
        subprocess.run(["mount", "-o", "remount,rw,size=64m", disk], check=True)
        assert download(repository, [result], disk / "dest").bytes_processed == 12_000_000
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert download(repository, [result], disk / "dest").files_kept == 8
    """)
    mount = f"mount -t tmpfs -o size=8m tmpfs {disk}"
    done = subprocess.run(
        [*namespace, "sh", "-c", f'{mount} && exec "$@"', "sh",
         sys.executable, "-c", script, str(tmp_path), str(disk)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
