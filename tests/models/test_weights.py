import errno
import hashlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from maskwright.core.errors import CheckpointError, DownloadError, ModelError, UnknownModel, WeightsMissing
from maskwright.models import build_model, load_model, weights
from maskwright.models.cards import ModelCard
from maskwright.models.registry import find_card
from maskwright.models.weights import find_weights, has_weights, import_file, pull, verify

CONTENT = np.random.default_rng(0).bytes(3_000_000)


@dataclass
class Behaviour:
    """How the server answers, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"v1"'
    honours_range: bool = True
    says_length: bool = True
    delay_s: float = 0.0
    cut_after: list[int] = field(default_factory=list)  # of each answer in turn, how many bytes it sends
    statuses: list[int] = field(default_factory=list)  # of each answer in turn, an error to send instead
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[tuple[Behaviour, str]]:
    behaviour = Behaviour()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self):
            wanted = self.headers.get("Range")
            behaviour.ranges.append(wanted)
            time.sleep(behaviour.delay_s)
            if behaviour.statuses and (status := behaviour.statuses.pop(0)) != 200:
                self.send_error(status)
                return
            body, start = behaviour.content, 0
            same = self.headers.get("If-Range") in (None, behaviour.etag)
            if wanted and behaviour.honours_range and same:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if behaviour.says_length:
                self.send_header("Content-Length", str(len(body) - start))
            if behaviour.etag:
                self.send_header("ETag", behaviour.etag)
            self.end_headers()
            limit = behaviour.cut_after.pop(0) if behaviour.cut_after else None
            self.wfile.write(body[start:][:limit])

        def log_message(self, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield behaviour, f"http://127.0.0.1:{http.server_address[1]}/weights.pth"
    http.shutdown()
    thread.join()
    http.server_close()


def card(url: str | None, content: bytes = CONTENT, **changes) -> ModelCard:
    known = {
        "name": "vit_x",
        "family": "sam",
        "title": "",
        "licence": "",
        "input_side": 1024,
        "num_parameters": 1,
        "source_url": url,
        "sha256": hashlib.sha256(content).hexdigest(),
        "num_bytes": len(content),
        "filename": "weights.pth",
    }
    return ModelCard(**{**known, **changes})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_pulled_checkpoint_arrives_whole_with_progress(server, tmp_path):
    _, url = server
    seen: list[tuple[int, int | None]] = []

    path = pull(card(url), progress=lambda done, total: seen.append((done, total)), folder=tmp_path / "new")

    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["weights.pth"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_checkpoint_that_is_there_is_verified_and_not_fetched_again(server, tmp_path):
    behaviour, url = server
    pull(card(url), folder=tmp_path)

    pull(card(url), folder=tmp_path)

    assert len(behaviour.ranges) == 1


def test_a_transfer_that_is_cut_goes_on_where_it_stopped(server, tmp_path):
    behaviour, url = server
    behaviour.cut_after = [1_000_000, 1_500_000]

    path = pull(card(url), folder=tmp_path, wait_s=0)

    assert path.read_bytes() == CONTENT
    assert behaviour.ranges == [None, "bytes=1000000-", "bytes=2500000-"]


def test_a_later_pull_continues_an_earlier_one(server, tmp_path):
    behaviour, url = server
    behaviour.cut_after = [1_000_000, 0]
    with pytest.raises(DownloadError, match="what arrived is kept, so run the same command to go on"):
        pull(card(url), folder=tmp_path, num_tries=1, wait_s=0)
    assert "weights.pth.part" in names(tmp_path)

    path = pull(card(url), folder=tmp_path, wait_s=0)

    assert path.read_bytes() == CONTENT
    assert behaviour.ranges[-1] == "bytes=1000000-"
    assert names(tmp_path) == ["weights.pth"]


def test_two_pulls_at_once_fetch_once(server, tmp_path):
    behaviour, url = server
    behaviour.delay_s = 0.2
    got: list[Path] = []
    threads = [threading.Thread(target=lambda: got.append(pull(card(url), folder=tmp_path))) for _ in range(2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [path.read_bytes() == CONTENT for path in got] == [True, True]
    assert len(behaviour.ranges) == 1


def test_a_server_that_ignores_ranges_sends_the_whole_and_it_is_right(server, tmp_path):
    behaviour, url = server
    behaviour.honours_range = False
    behaviour.cut_after = [1_000_000]

    path = pull(card(url), folder=tmp_path, wait_s=0)

    assert path.read_bytes() == CONTENT


def test_a_file_that_changed_since_is_fetched_from_the_start(server, tmp_path):
    behaviour, url = server
    unknown = card(url, sha256=None, num_bytes=None)
    behaviour.cut_after = [1_000_000, 0]
    with pytest.raises(DownloadError):
        pull(unknown, folder=tmp_path, num_tries=1, wait_s=0)
    behaviour.content, behaviour.etag = CONTENT[::-1], '"v2"'

    path = pull(unknown, folder=tmp_path, wait_s=0)

    assert path.read_bytes() == CONTENT[::-1]


def test_a_part_that_is_already_whole_needs_no_more_bytes(server, tmp_path):
    behaviour, url = server
    (tmp_path / "weights.pth.part").write_bytes(CONTENT)

    pull(card(url), folder=tmp_path)
    assert behaviour.ranges == []

    (tmp_path / "weights.pth").rename(tmp_path / "weights.pth.part")
    path = pull(card(url, num_bytes=None), folder=tmp_path)
    assert path.read_bytes() == CONTENT
    assert behaviour.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_server_without_lengths_is_believed_when_the_hash_agrees(server, tmp_path):
    behaviour, url = server
    behaviour.says_length = False

    assert pull(card(url, num_bytes=None), folder=tmp_path).read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_leaves_nothing_behind(server, tmp_path):
    behaviour, url = server
    behaviour.content = CONTENT[:-1] + b"x"

    with pytest.raises(DownloadError, match=r"must have the sha256 .*, got "):
        pull(card(url), folder=tmp_path)

    assert names(tmp_path) == []


def test_an_md5_is_checked_where_it_is_all_there_is(server, tmp_path):
    _, url = server
    right = hashlib.md5(CONTENT).hexdigest()

    path = pull(card(url, sha256=None, md5=right), folder=tmp_path)

    assert verify(card(url, sha256=None, md5=right), path).checked == ("size", "md5")
    with pytest.raises(DownloadError, match="must have the md5"):
        verify(card(url, sha256=None, md5="0" * 32), path)


def test_a_file_without_a_published_hash_is_not_called_official(server, tmp_path):
    _, url = server
    unknown = card(url, sha256=None, num_bytes=None)

    verified = verify(unknown, pull(unknown, folder=tmp_path))

    assert not verified.is_official
    assert verified.sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final_and_names_status_way_out_and_address(server, tmp_path, status):
    behaviour, url = server
    behaviour.statuses = [status]

    command = "maskwright models import FILE --name vit_x"
    message = rf"refused the download of vit_x: HTTP {status} .*{command}: {re.escape(url)}"
    with pytest.raises(DownloadError, match=message):
        pull(card(url), folder=tmp_path, wait_s=0)

    assert len(behaviour.ranges) == 1


def test_a_busy_server_is_asked_again(server, tmp_path):
    behaviour, url = server
    behaviour.statuses = [503, 429, 500]

    assert pull(card(url), folder=tmp_path, wait_s=0).read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_a_one_line_error(tmp_path):
    with pytest.raises(DownloadError, match=r"failed 2 times in a row \(.*refused.*\).*: http://127\.0\.0\.1:9/"):
        pull(card("http://127.0.0.1:9/x"), folder=tmp_path, num_tries=2, wait_s=0)


def test_a_full_disk_says_so(server, tmp_path, monkeypatch):
    _, url = server

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights.os, "fsync", full)

    with pytest.raises(DownloadError, match=r"the disk is full\. Free space, or set MASKWRIGHT_WEIGHTS"):
        pull(card(url), folder=tmp_path)


def test_a_folder_that_cannot_be_made_says_so(server, tmp_path):
    _, url = server
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DownloadError, match="the checkpoint could not be written"):
        pull(card(url), folder=tmp_path / "file" / "below")


def test_a_size_that_differs_is_named_before_anything_is_hashed(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"short")

    with pytest.raises(DownloadError, match="must have 3,000,000 bytes, got 5"):
        verify(card(None), tmp_path / "weights.pth")


def test_a_checkpoint_put_into_the_folder_by_hand_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path))
    vit_b = find_card("vit_b")
    assert not has_weights(vit_b)
    with pytest.raises(WeightsMissing):
        find_weights(vit_b)

    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"")

    assert has_weights(vit_b)
    assert find_weights(vit_b) == tmp_path / "sam_vit_b_01ec64.pth"


def test_packaged_and_computed_weights_need_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path))

    assert find_weights(find_card("tiny")).is_file()
    assert has_weights(find_card("test-sam"))
    with pytest.raises(ModelError, match="test-sam has no checkpoint file: its weights are computed"):
        find_weights(find_card("test-sam"))


def test_a_model_without_an_address_says_where_its_file_goes(tmp_path):
    with pytest.raises(DownloadError, match=rf"no download address\. Put its checkpoint here: {tmp_path}"):
        pull(card(None), folder=tmp_path)


def test_an_imported_file_must_be_the_published_one(tmp_path):
    path = tmp_path / "mine.pth"
    torch.save(load_model("test-sam").state_dict(), path)

    with pytest.raises(DownloadError, match=r"not the published checkpoint of vit_b\. Use it by its path: --model"):
        import_file(path, "vit_b", folder=tmp_path / "weights")
    with pytest.raises(UnknownModel):
        import_file(path, "vit_bb", folder=tmp_path / "weights")


def test_an_imported_file_must_be_of_the_models_architecture(tmp_path):
    path = tmp_path / "mine.pth"
    torch.save(load_model("test-sam").state_dict(), path)

    with pytest.raises(CheckpointError, match="expected a checkpoint of hq_vit_tiny, got one of test-sam"):
        import_file(path, "hq_vit_tiny", folder=tmp_path / "weights")

    assert not (tmp_path / "weights").exists()


def test_an_imported_file_is_copied_and_loads_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path / "weights"))
    path = tmp_path / "elsewhere.pth"
    torch.manual_seed(0)

    network = build_model("hq_vit_tiny")
    torch.save(network.state_dict(), path)

    verified = import_file(path, "hq_vit_tiny")

    assert verified.path == tmp_path / "weights" / "sam_hq_vit_tiny.pth"
    assert not verified.is_official
    loaded = load_model("hq_vit_tiny")
    assert loaded.checkpoint_sha256 == verified.sha256
    assert loaded.card.source_url is not None
