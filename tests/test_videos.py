"""Videos: made, shown, changed and deleted by their owner; listed in pages."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import chain

import pytest

VIDEOS = "/api/v1/videos"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def make(person, title="A title", **more):
    response = person.post(VIDEOS, json={"title": title, **more})
    assert response.status_code == 201
    return response.json


def insert(root, owner, count, begin="2026-03-01 12:00:00", step=timedelta(seconds=1), visibility="public"):
    """Put videos into the table; return their ids in the order of a list, newest first."""
    first, keys = datetime.fromisoformat(begin), []
    with root.cursor() as cursor:
        for n in range(count):
            created_at = first + n * step
            cursor.execute(
                "INSERT INTO videos (user_id, title, description, visibility, created_at) VALUES (%s, %s, '', %s, %s)",
                (owner.user_id, f"{begin} {n}", visibility, created_at),
            )
            keys.append((created_at, cursor.lastrowid))
    return [video_id for _, video_id in sorted(keys, reverse=True)]


def walk(client, limit=10):
    """Follow `next` to the end; return the ids of each page."""
    pages, after = [], {}
    for _ in range(20):
        page = client.get(VIDEOS, query_string={"limit": limit, **after}).json
        pages.append([video["id"] for video in page["items"]])
        if page["next"] is None:
            return pages
        after = {"after": page["next"]}
    raise AssertionError("the list has no end")


# Make


def test_a_video_is_made_and_found_at_its_location(alice, client):
    response = alice.post(VIDEOS, json={"title": "Hello", "description": "a\n\tb", "visibility": "public"})
    assert response.status_code == 201
    assert response.headers["Location"] == f"{VIDEOS}/{response.json['id']}"
    assert client.get(response.headers["Location"]).json == response.json
    assert response.json["description"] == "a\n\tb"
    assert (response.json["user_id"], response.json["username"]) == (alice.user_id, "alice")
    assert INSTANT.fullmatch(response.json["created_at"])


def test_a_title_is_enough(alice):
    video = make(alice, "Hello")
    assert (video["description"], video["visibility"]) == ("", "public")


def test_an_empty_description_is_fine(alice):
    assert make(alice, description="")["description"] == ""


@pytest.mark.parametrize(
    "text", ["大连的海 🌊👩‍👩‍👧", "Grüße aus Zürich", "<script>alert('x')</script>", "50% %(x)s \\ ' \" --", "𠮷"]
)
def test_text_comes_back_as_it_was_sent(alice, client, text):
    video = make(alice, text, description=text)
    shown = client.get(f"{VIDEOS}/{video['id']}").json
    assert (shown["title"], shown["description"]) == (text, text)


@pytest.mark.parametrize("letter", ["a", "字", "😀"])
def test_a_title_has_at_most_200_characters(alice, letter):
    assert make(alice, letter * 200)["title"] == letter * 200
    assert alice.post(VIDEOS, json={"title": letter * 201}).json["errors"].keys() == {"title"}


@pytest.mark.parametrize("letter", ["a", "😀"])
def test_a_description_has_at_most_5000_characters(alice, letter):
    assert make(alice, description=letter * 5000)["description"] == letter * 5000
    response = alice.post(VIDEOS, json={"title": "x", "description": letter * 5001})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"description"}


def test_spaces_around_a_title_are_not_part_of_it(alice):
    assert make(alice, "  Hello  world\u3000")["title"] == "Hello  world"


@pytest.mark.parametrize(
    "title", ["", " ", "\t \n", "\u3000", "a\nb", "a\x00b", "a\x1bb", "a\u2028b", None, 0, False, ["a"]]
)
def test_a_title_that_is_empty_or_no_line_is_refused(alice, title):
    response = alice.post(VIDEOS, json={"title": title})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"title"}


@pytest.mark.parametrize("title", ["\u200b", "\ufe0f", "\u00ad \u3164", "\u0301"])
def test_a_title_that_shows_nothing_is_refused(alice, title):
    response = alice.post(VIDEOS, json={"title": title})  # the last one by the schema: it equals '' there
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"title"}


def test_line_ends_of_windows_become_those_of_the_web(alice):
    assert alice.post(VIDEOS, json={"title": "x", "description": "a\r\nb\n"}).json["description"] == "a\nb\n"


@pytest.mark.parametrize("visibility", ["", "PUBLIC", "unlisted", 1, None])
def test_a_video_is_public_or_private(alice, visibility):
    response = alice.post(VIDEOS, json={"title": "x", "visibility": visibility})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"visibility"}


def test_the_owner_cannot_be_named(alice, bob):
    response = alice.post(VIDEOS, json={"title": "x", "user_id": bob.user_id})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"user_id"}


# Show


def test_a_video_that_is_not_there_is_a_problem(client):
    response = client.get(f"{VIDEOS}/1")
    assert response.status_code == 404
    assert (response.json["code"], response.json["detail"]) == ("not_found", "No such video.")


def test_a_private_video_is_there_for_its_owner_alone(alice, bob, client):
    video = make(alice, visibility="private")
    assert alice.get(f"{VIDEOS}/{video['id']}").json == video
    stranger, missing = bob.get(f"{VIDEOS}/{video['id']}"), bob.get(f"{VIDEOS}/{video['id'] + 1}")
    assert stranger.status_code == client.get(f"{VIDEOS}/{video['id']}").status_code == 404
    assert {**stranger.json, "request_id": ""} == {**missing.json, "request_id": ""}


def test_a_private_video_is_in_no_list(alice, client, root):
    shown, hidden = make(alice, "for all"), make(alice, "for me", visibility="private")
    root.cursor().execute("UPDATE videos SET file_key = LPAD(id, 32, '0')")  # /watch lists what has a file
    for asking in (client, alice):
        assert [video["id"] for video in asking.get(VIDEOS).json["items"]] == [shown["id"]]
    assert "for all" in client.get("/watch").text
    assert hidden["title"] not in client.get("/watch").text


@pytest.mark.parametrize(
    "video_id", ["0", "-1", "1.5", "x", "1x", "%00", "%FF", "9" * 20, "9" * 70, "9" * 4000, "1%20OR%201=1"]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_id_that_is_none_is_404(alice, method, video_id):
    make(alice)
    response = alice.open(f"{VIDEOS}/{video_id}", method=method, **({"json": {}} if method == "PATCH" else {}))
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


def test_head_answers_like_get_without_a_body(alice, client):
    path = f"{VIDEOS}/{make(alice)['id']}"
    response = client.head(path)
    assert (response.status_code, response.data) == (200, b"")
    assert client.head(f"{path}0").status_code == 404


# Change


@pytest.mark.parametrize(
    "change", [{"title": "New"}, {"description": "新"}, {"visibility": "private"}, {"description": ""}]
)
def test_only_what_was_sent_is_changed(alice, change):
    video = make(alice, "Old", description="old")
    response = alice.patch(f"{VIDEOS}/{video['id']}", json=change)
    assert response.status_code == 200
    assert response.json == {**video, **change, "version": 2}
    assert alice.get(f"{VIDEOS}/{video['id']}").json == response.json


def test_changing_nothing_is_no_error(alice):
    video = make(alice, "Same", description="same")
    for body in ({}, {"title": "Same"}, {"title": "Same", "description": "same", "visibility": "public"}):
        response = alice.patch(f"{VIDEOS}/{video['id']}", json=body)
        assert (response.status_code, {**response.json, "version": 1}) == (200, video)


@pytest.mark.parametrize("field", ["title", "description", "visibility"])
def test_null_is_no_value(alice, field):
    video = make(alice)
    response = alice.patch(f"{VIDEOS}/{video['id']}", json={field: None})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {field}
    assert alice.get(f"{VIDEOS}/{video['id']}").json == video


def test_a_misspelt_field_of_a_change_is_told(alice):
    video = make(alice)
    response = alice.patch(f"{VIDEOS}/{video['id']}", json={"titel": "New", "description": "new"})
    assert response.json["errors"] == {"titel": "There is no such field; did you mean title?"}
    assert alice.get(f"{VIDEOS}/{video['id']}").json == video


@pytest.mark.parametrize("field", ["id", "user_id", "created_at", "has_title"])
def test_what_is_not_the_owners_to_change_is_refused(alice, field):
    response = alice.patch(f"{VIDEOS}/{make(alice)['id']}", json={field: 1})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {field}


def test_a_change_keeps_the_rules_of_a_new_video(alice):
    path = f"{VIDEOS}/{make(alice)['id']}"
    response = alice.patch(path, json={"title": " ", "description": "x" * 5001, "visibility": "none"})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"title", "description", "visibility"}


# Delete


def test_a_deleted_video_is_gone(alice):
    path = f"{VIDEOS}/{make(alice)['id']}"
    response = alice.delete(path)
    assert (response.status_code, response.data) == (204, b"")
    assert alice.get(path).status_code == alice.delete(path).status_code == 404
    assert alice.get(VIDEOS).json["items"] == []


# List


def test_an_empty_list_is_a_page_without_next(client):
    response = client.get(VIDEOS)
    assert response.json == {"items": [], "next": None}
    assert "Link" not in response.headers


def test_a_list_shows_each_video_as_it_is_shown_alone(alice, client):
    video = make(alice, "大连", description="海")
    (item,) = client.get(VIDEOS).json["items"]
    of_the_viewer = {"is_liked": False, "is_favorited": False, "progress_ms": None}
    assert video == {**item, **of_the_viewer}


def test_a_page_holds_20_unless_asked_otherwise(alice, client, root):
    insert(root, alice, 101)
    assert len(client.get(VIDEOS).json["items"]) == 20
    assert len(client.get(f"{VIDEOS}?limit=1").json["items"]) == 1
    assert len(client.get(f"{VIDEOS}?limit=100").json["items"]) == 100


def test_the_pages_hold_every_video_once_newest_first(alice, client, root):
    ids = insert(root, alice, 45)
    pages = walk(client)
    assert [len(page) for page in pages] == [10, 10, 10, 10, 5]
    assert [*chain(*pages)] == ids


def test_a_last_page_that_is_full_is_the_last(alice, client, root):
    ids = insert(root, alice, 20)
    assert walk(client) == [ids[:10], ids[10:]]


def test_videos_of_one_instant_are_on_one_page_each(alice, client, root):
    ids = insert(root, alice, 25, step=timedelta(0))
    assert [*chain(*walk(client))] == ids == sorted(ids, reverse=True)


def test_the_instant_counts_before_the_id(alice, client, root):
    newer, older = insert(root, alice, 12), insert(root, alice, 12, step=timedelta(milliseconds=-1))
    merged = [*chain(*walk(client, limit=5))]
    assert sorted(merged) == sorted(newer + older)
    assert merged[:11] == newer[:11]
    assert merged[11] in (newer[11], older[0])


def test_private_videos_leave_no_holes_in_a_page(alice, client, root):
    insert(root, alice, 15, begin="2026-03-01 12:00:10", visibility="private")
    ids = insert(root, alice, 25)
    assert walk(client) == [ids[:10], ids[10:20], ids[20:]]


def test_new_videos_do_not_shift_the_pages_that_follow(alice, client, root):
    ids = insert(root, alice, 25)
    first = client.get(f"{VIDEOS}?limit=10").json
    insert(root, alice, 5, begin="2026-04-01 12:00:00")
    second = client.get(VIDEOS, query_string={"limit": 10, "after": first["next"]}).json
    assert [video["id"] for video in second["items"]] == ids[10:20]


def test_a_page_follows_a_video_that_was_deleted_meanwhile(alice, client, root):
    ids = insert(root, alice, 15)
    first = client.get(f"{VIDEOS}?limit=10").json
    assert alice.delete(f"{VIDEOS}/{ids[9]}").status_code == 204
    second = client.get(VIDEOS, query_string={"limit": 10, "after": first["next"]}).json
    assert [video["id"] for video in second["items"]] == ids[10:]


def test_the_link_header_leads_to_the_next_page(alice, client, root):
    ids = insert(root, alice, 12)
    response = client.get(f"{VIDEOS}?limit=10")
    url = re.fullmatch(r'<(.+)>; rel="next"', response.headers["Link"])[1]
    last = client.get(url)
    assert [video["id"] for video in last.json["items"]] == ids[10:]
    assert last.json["next"] is None
    assert "Link" not in last.headers


@pytest.mark.parametrize("limit", ["0", "-1", "101", "x", "", "1.5", "1e2", "9" * 40, "ten"])
def test_a_limit_is_1_to_100(client, limit):
    response = client.get(VIDEOS, query_string={"limit": limit})
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"limit"}


def test_a_cursor_that_was_changed_is_refused(alice, client, root):
    insert(root, alice, 2)
    cursor = client.get(f"{VIDEOS}?limit=1").json["next"]
    for changed in (
        cursor[:-1],
        cursor[1:],
        cursor.swapcase(),
        cursor + ".x",
        cursor.partition(".")[0],
        "x",
        "张",
        "1 OR 1",
    ):
        response = client.get(VIDEOS, query_string={"after": changed})
        assert response.status_code == 422
        assert response.json["errors"].keys() == {"after"}


def test_a_cursor_of_another_list_is_refused(client, alice, root):
    insert(root, alice, 2)
    other = client.get(f"{VIDEOS}?sort=hot&limit=1").json["next"]
    assert client.get(VIDEOS, query_string={"sort": "hot", "after": other}).status_code == 200
    response = client.get(VIDEOS, query_string={"after": other})
    assert response.status_code == 422
    assert client.get(VIDEOS, query_string={"after": "x" * 501}).status_code == 422


def test_an_unknown_parameter_is_told(client):
    response = client.get(f"{VIDEOS}?limt=5&order=hot")
    assert response.status_code == 422
    assert response.json["errors"]["limt"] == "There is no such field; did you mean limit?"
    assert "order" in response.json["errors"]


def test_a_parameter_that_was_sent_twice_is_told(client):
    response = client.get(f"{VIDEOS}?limit=1&limit=2")
    assert response.status_code == 422
    assert response.json["errors"] == {"limit": "This parameter was sent more than once."}


def test_a_parameter_where_none_is_taken_is_told(alice):
    response = alice.get(f"{VIDEOS}/{make(alice)['id']}?limit=1")
    assert response.status_code == 422
    assert response.json["errors"].keys() == {"limit"}
