"""Clients of dandanplay: they find a video by a name, load its danmaku and send one."""

from __future__ import annotations

import pytest

from web.answers import SECOND

VIDEOS, V2 = "/api/v1/videos", "/api/v2"


@pytest.fixture
def video(alice):
    return alice.post(VIDEOS, json={"title": "大连的海 Waves"}).json["id"]


@pytest.fixture
def player(app):
    return app.test_client()


def send(one, video, **changes):
    body = {"time": 12.34, "mode": 1, "color": 16777215, "comment": "<666>", **changes}
    return one.post(f"{V2}/comment/{video}", json=body)


def test_a_video_is_found_by_the_name_of_a_file(player, video):
    given = {"fileName": "大连的海 waves.MKV", "fileHash": "0" * 32, "fileSize": 1, "matchMode": "hashAndFileName"}
    found = player.post(f"{V2}/match", json=given).json
    assert (found["success"], found["isMatched"]) == (True, True)
    assert [(one["episodeId"], one["animeTitle"]) for one in found["matches"]] == [(video, "大连的海 Waves")]
    for name in ("大连.mkv", "nothing.mkv", "", "x" * 5000):
        assert player.post(f"{V2}/match", json={"fileName": name}).json["isMatched"] is False


def test_a_video_is_found_by_words(player, video):
    (work,) = player.get(f"{V2}/search/episodes?anime=大连&withRelated=true").json["animes"]
    assert work["episodes"] == [{"episodeId": video, "episodeTitle": "大连的海 Waves"}]
    (work,) = player.get(f"{V2}/search/anime?keyword=waves").json["animes"]
    bangumi = player.get(f"{V2}/bangumi/{work['bangumiId']}").json["bangumi"]
    assert bangumi["episodes"][0]["episodeId"] == video
    assert player.get(f"{V2}/search/anime").json["animes"] == []


def test_danmaku_are_sent_and_loaded(alice, bob, player, video):
    answer = send(bob, video, mode=4)
    assert (answer.status_code, answer.json["success"], answer.json["errorCode"]) == (200, True, 0)
    loaded = player.get(f"{V2}/comment/{video}?withRelated=true&chConvert=0")
    assert loaded.data.startswith(b'{"count":1,"co')  # danmaku2ass looks at the first 14 letters
    (one,) = loaded.json["comments"]
    assert (one["cid"], one["m"]) == (answer.json["cid"], "<666>")
    time, mode, color, sender = one["p"].split(",")
    assert (time, mode, color, len(sender)) == ("12.34", "4", "16777215", 8)
    again = player.get(f"{V2}/comment/{video}", headers={"If-None-Match": loaded.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, SECOND)
    assert player.get(f"{V2}/related/{video}").json["relateds"] == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"comment": ""}, 422), ({"mode": 7}, 422), ({"color": -1}, 422), ({"time": -1}, 422), ({"time": "x"}, 422)],
)
def test_errors_are_in_their_envelope(bob, video, changes, status):
    answer = send(bob, video, **changes)
    assert (answer.status_code, answer.json["success"], answer.json["errorCode"]) == (status, False, status)
    assert answer.headers["X-Error-Message"] == answer.json["errorMessage"]
    assert "errors" not in answer.json["errorMessage"]  # these clients show this sentence alone


def test_errors_before_the_view_are_too(alice, client, player, video):
    assert send(client, video).json["errorCode"] == 401
    assert [player.put(f"{V2}/match").json["errorCode"], player.get(f"{V2}/x").json["errorCode"]] == [405, 404]
    alice.patch(f"{VIDEOS}/{video}", json={"visibility": "private"})
    private, unknown = (player.get(f"{V2}/comment/{n}") for n in (video, 999999))
    assert private.json == unknown.json == {"success": False, "errorCode": 404, "errorMessage": "No such video."}
    assert player.get(f"{V2}/search/anime?keyword=waves").json["animes"] == []
