"""Long work and streams over the client."""

import zipfile

import numpy as np
import pytest

import maskwright as mw
from client_server import NUM_ANNOTATED, NUM_PICTURES, between, make_image, png_of
from maskwright.client import Client
from maskwright.client.asking import ask
from maskwright.client.requests import request
from maskwright.core.errors import (
    Cancelled,
    DeadlinePassed,
    ImageError,
    InputError,
    PromptError,
    PromptOutsideImage,
    SettingError,
    UnknownJob,
)

BOX = mw.BoxPrompt((10, 10, 40, 40))


def test_a_source_is_annotated_and_exported(client, tmp_path):
    seen = []

    begun = client.start_annotate("pictures", preset="fast", stop=NUM_PICTURES)
    done = client.wait_for(begun, progress=seen.append, timeout_s=30)
    export = client.wait_for(client.start_export("coco", dataset="pictures", with_images=True).id)
    path = client.download(export, tmp_path / "coco.zip")

    assert client.job_sources()[0].name == "pictures"
    assert done.result["num_frames"] >= NUM_PICTURES - NUM_ANNOTATED
    assert [job.state for job in seen][-1] == "done"
    assert seen[-1] == done == client.job(done)
    assert [job.id for job in client.jobs()][:2] == [export.id, done.id]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert any(name.endswith(".json") for name in archive.namelist())
    assert [one.name for one in tmp_path.iterdir()] == ["coco.zip"]


def test_a_job_that_cannot_be_is_an_error(client, tmp_path):
    export = client.start_export("coco", label="nobody")
    with pytest.raises(InputError, match="the server knows no source 'nowhere'"):
        client.start_annotate("nowhere")
    with pytest.raises(InputError, match="nobody"):
        client.start_export("nobody")
    with pytest.raises(UnknownJob, match="no such job"):
        client.job("nobody")
    with pytest.raises(DeadlinePassed, match=r"was not done within 0\.0 seconds"):
        client.wait_for(export, timeout_s=0.0)
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\)"):
        client.download(client.wait_for(export), tmp_path / "missing" / "x.zip")


def test_a_job_is_stopped(client):
    jobs = [client.start_track("pictures", budget="fast") for _ in range(4)]

    cancelled = client.cancel_job(jobs[-1])

    if cancelled.state == "cancelled":  # it had not begun
        with pytest.raises(Cancelled, match="was cancelled"):
            client.wait_for(cancelled)
    for job in jobs[:-1]:
        client.cancel_job(job)


def test_objects_are_followed_as_in_this_process(client):
    frames = [make_image(300 + number // 2) for number in range(4)]
    prompts = {"cup": BOX, "ball": mw.PointPrompt([(50, 20)])}

    found = list(client.track(frames, prompts, budget="accurate"))
    here = list(mw.propagate(mw.load_model("test-sam"), frames, prompts, settings=mw.TrackSettings()))

    assert [one.index for one in found] == [0, 1, 2, 3]
    assert [mask.track for mask in found[0].masks] == ["cup", "ball"]
    assert found[0]["cup"].rle == here[0]["cup"].rle
    assert found[0]["cup"].source == "keyframe"
    assert found[2].image_digest == frames[2].digest
    with pytest.raises(KeyError):
        found[0]["plate"]


def test_frames_may_be_files_and_pictures_of_the_server(client, tmp_path):
    image = make_image(310)
    (tmp_path / "frame.png").write_bytes(png_of(image))
    ref = mw.FrameRef(dataset="d", episode="e", camera="c", frame_index=0)
    kinds = [
        *(image, png_of(image), tmp_path / "frame.png", str(tmp_path / "frame.png")),
        *(client.upload(image), image.digest, mw.Frame(image=image, ref=ref)),
    ]

    found = list(client.track(kinds, {0: {"cup": BOX}, 2: {"ball": BOX}}))

    assert {one.image_digest for one in found} == {image.digest}
    assert [len(one.masks) for one in found] == [1, 1, 2, 2, 2, 2, 2]


def test_a_session_takes_frames_one_by_one_and_is_closed(client):
    with client.open_track(budget="fast", find_new=0) as session:
        session.step(make_image(320), {"cup": BOX, "ball": BOX})
        with pytest.raises(ImageError, match="size"):
            session.step(make_image(321, 10, 10))
        with pytest.raises(PromptOutsideImage):
            session.step(make_image(322), {"far": mw.PointPrompt([(900, 900)])})
        assert session.tracks == ("cup", "ball")
        session.forget("ball")
        after = session.step(make_image(323), forget=["nobody"])
        info = session.info()

    assert [mask.track for mask in after.masks] == ["cup"]
    assert (after.index, info.num_shown, info.num_skipped, info.budget) == (3, 4, 2, "fast")
    assert session.tracks == ("cup",)
    with pytest.raises(UnknownJob, match="no track session"):
        session.step(make_image(324))


def test_a_session_is_closed_when_its_reader_stops(client):
    following = client.track([make_image(330)] * 3, {"cup": BOX})
    next(following)
    (number,) = [one["id"] for one in sessions(client)]

    following.close()

    assert number
    assert sessions(client) == []


def sessions(client):
    return client._shell.run(ask(client._link, request(client._link, "GET", "tracks"), lambda data: data["items"]))


def test_what_cannot_be_followed_is_an_error(client):
    with pytest.raises(PromptError, match="nothing to follow"):
        next(client.track([make_image(340)], {}))
    with pytest.raises(PromptError, match="no frame for the prompts at 5; there were 1 frames"):
        list(client.track([make_image(340)], {0: {"cup": BOX}, 5: {"cup": BOX}}))
    with pytest.raises(PromptError, match="by track, or by frame number"):
        next(client.track([make_image(340)], {"cup": {"x": BOX}}))
    with pytest.raises(SettingError, match="budget"):
        next(client.track([make_image(340)], {"cup": BOX}, budget="much"))


def test_a_frame_whose_answer_got_lost_is_not_shown_twice(served):
    frames = [make_image(350)] * 4
    with between(served.port) as (address, state), Client(address, served.tokens["annotate"]) as client:
        found = []
        with client.open_track(budget="fast") as session:
            for number, frame in enumerate(frames):
                if number in (0, 2):
                    state["losing"] = lambda request: None
                found.append(session.step(frame, None if number else {"cup": BOX}))
            info = session.info()

    assert [one.index for one in found] == [0, 1, 2, 3]
    assert info.num_shown == 4
    assert all(np.array_equal(one.masks[0].rle.size_hw, (48, 64)) for one in found)
