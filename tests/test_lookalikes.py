"""Names that look alike: beside reserved names and beside the accounts that there are. And names that only seem to."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.lookalikes import MAX_LENGTH, skeleton
from domain.names import OFFICES, RESERVED

REGISTER = "/api/v1/auth/register"
PASSWORD = "correct horse"


def register(client, username):
    return client.post(REGISTER, json={"username": username, "password": PASSWORD})


def small_capitals(word):
    return "".join(unicodedata.lookup(f"LATIN LETTER SMALL CAPITAL {c}") for c in word.upper())


LISU = str.maketrans("bpdtgkjczfmnlsrvhwxyaeiou", "ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ")
OLD_ITALIC = str.maketrans("abdefhiklmnorstvxcp", "𐌀𐌁𐌃𐌄𐌅𐌇𐌉𐌊𐌋𐌌𐌍𐌏𐌓𐌔𐌕𐌖𐌗𐌂𐌐")
COPTIC = str.maketrans("abhiknmoprctyx", "ⲀⲂⲎⲒⲔⲚⲘⲞⲢⲅⲤⲦⲨⲬ")
GREEK = str.maketrans("abehikmnoptxyz", "ΑΒΕΗΙΚΜΝΟΡΤΧΥΖ")
CYRILLIC = str.maketrans("acehijkmnopstxyd", "асеһіјкмпорѕтхуԁ")

RESERVED_LIKE = [
    *(small_capitals(word) for word in ("rawreel", "admin", "moderator", "staff")),
    *("rawreel admin moderator official support".translate(LISU).split()),
    *("admin moderator root staff".translate(OLD_ITALIC).split()),
    *("admin moderator root".translate(COPTIC).split()),
    *("admin ADMIN moderator root".translate(GREEK).split()),
    *("admin moderator root anonymous".translate(CYRILLIC).split()),
    "rawree1", "RAWREE1", "rawreeI", "rawreeǀ", "ravvreel", "RAVVREEL", "Rawree١", "raw_ree1", "adm1n", "ADMlN", "AdmіN",
    "rnoderator", "Rnoderator", "m0derator", "mօderator", "r00t", "rσσt", "sуstem", "sys.tem", "ａｄｍｉｎ", "𝓪𝓭𝓶𝓲𝓷",
    "ádmin", "a\u0301\u0301dmin", "adm\u0307in", "admi\u0307n", "ad\u1039min", "ad\u17d2min", "ad\u0e38min", "adṁin",
    "ɑdmin", "ꭺdmin", "ᎪDMIN", "ᴀdmɪn", "管理员1", "我是管理員",
]  # fmt: skip


@pytest.mark.parametrize("username", RESERVED_LIKE)
def test_a_name_that_looks_like_a_reserved_one_is_reserved(client, username):
    answer = register(client, username)
    assert (answer.status_code, [*answer.json["errors"]]) == (422, ["username"])
    assert "reserved" in answer.json["errors"]["username"]


def test_every_reserved_name_is_reserved_in_every_case(client):
    for word in RESERVED:
        for name in (word, word.upper(), word.title(), f"{word}_", word.replace("i", "1").replace("o", "0")):
            assert register(client, name).status_code == 422, name
    assert all(register(client, f"x{word}x").status_code == 422 for word in OFFICES)


@pytest.mark.parametrize(
    ("taken", "tried"),
    [
        ("paypal", "paypaI"),
        ("paypal", "paypa1"),
        ("paypal", "раураl"),
        ("paypal", "рaypal"),
        ("Ivan", "lvan"),
        ("lvan", "Ivan"),
        ("bob_1", "b0b_1"),
        ("leo", "le0"),
        ("modern", "modem"),
        ("teacher", small_capitals("teacher")),
        ("felix", "felix".translate(LISU)),
        ("fatima", "fatima".translate(OLD_ITALIC)),
        ("nikita", "nikita".translate(COPTIC)),
        ("TOMATO", "tomato".translate(GREEK)),
        ("paco", "paco".translate(CYRILLIC)),
        ("Степан", "Стeпaн"),
        ("jose\u0301", "jose\u0301\u0301"),
        ("alice", "al\u1039ice"),
        ("alice", "alice\u17d2"),
        ("jason", "j\u0307ason"),
        ("王一", "王ー"),
        ("土豆君", "士豆君"),
        ("alice", "alice".translate(LISU)),
        ("ALICE", "al\u0456ce"),
        ("ivan", "\u0406van"),
        ("علی_رضا", "علي_رضا"),
        ("٣٤٥", "۳٤٥"),
    ],
)
def test_a_name_that_looks_like_one_that_is_there_is_taken(client, taken, tried):
    assert register(client, f"{taken}_x").status_code == 201
    answer = register(client, f"{tried}_x")
    assert (answer.status_code, answer.json.get("code")) == (409, "username_taken"), skeleton(tried)
    assert answer.json["errors"]["username"] in (
        "This username looks like one that is taken.",
        "This username is taken.",
    )


HONEST = [
    "jose", "josé", "alice", "alise", "alina", "ian_2", "lan_2", "mei", "mel_", "user1", "user2", "user10", "user11", "user_a",
    "anna", "hanna", "王小明", "王小朋", "李小红", "李小江", "日本人", "曰本人", "未来人", "末来人", "张三丰", "張三丰",
    "Иван", "Иванн", "Ольга", "Ольва", "Степан", "Νίκος", "Μαρία", "Γιάννης", "محمد", "محمود", "فاطمة", "דוד", "רות", "שרה",
    "मरियम", "मरीयम", "สมชาย", "สมหญิง", "さくら", "サクラ", "김민준", "김민중", "Hà_Nội", "Hạ_Nội", "Đặng", "Dang", "Şule", "Sule",
    "Łukasz", "Lukasz", "Øyvind", "Oyvind", "Ingrið", "İpek", "Čapek", "Capek", "ñandu", "nandu", "straße",
]  # fmt: skip


def test_honest_names_of_all_scripts_live_side_by_side(client):
    assert {name: register(client, name).status_code for name in HONEST} == dict.fromkeys(HONEST, 201)


def test_numbers_never_make_two_names_look_alike():
    assert len({skeleton(f"fill_{n}") for n in range(20_000)}) == 20_000


@pytest.mark.parametrize("name", ["ﷲ" * 32, "각" * 32, "ǖ" * 32, "㎯" * 8, "m" * 32, "\U0001d168" * 32, "𠮷" * 32])
def test_a_skeleton_fits_its_column(client, name):
    assert len(skeleton(name)) <= MAX_LENGTH
    assert register(client, name).status_code in (201, 422)


def test_of_two_who_want_names_that_look_alike_at_once_one_gets_it(app):
    names = ["paypal", "paypaI", "paypa1", "рaypal"] * 2
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda name: register(app.test_client(), name).status_code, names))
    assert sorted(codes) == [201] + [409] * 7


def test_a_name_is_free_again_when_its_account_is_gone(client, alice, root):
    assert register(client, "a1ice").status_code == 409
    root.cursor().execute("DELETE FROM users WHERE username = 'alice'")
    assert register(client, "a1ice").status_code == 201


def test_commands_may_take_reserved_names_and_none_that_looks_like_an_account(app, client, alice, bob):
    run = app.test_cli_runner().invoke
    assert run(args=["user", "create", "rawree1", "--generate"]).exit_code == 0
    answer = run(args=["user", "create", "al\u0456ce", "--generate"])
    assert (answer.exit_code, "looks like one that is taken" in answer.output) == (1, True)
    answer = run(args=["user", "rename", str(bob.user_id), "аlice"])
    assert (answer.exit_code, "looks like one that is taken" in answer.output) == (1, True)
    assert run(args=["user", "rename", str(bob.user_id), "b0bby"]).exit_code == 0
    assert register(client, "bobby").status_code == 409
    assert register(client, "bob").status_code == 201


# Accounts of before


FORGET = "UPDATE users SET username_skeleton = NULL, username_reading = NULL"


def skeletons(root):
    with root.cursor() as cursor:
        cursor.execute("SELECT username_skeleton, username_reading FROM users ORDER BY id")
        return list(cursor.fetchall())


def test_accounts_of_before_get_their_skeletons_and_of_two_that_look_alike_both_stay(app, client, person, root):
    people = [person(name) for name in ("aIice", "zoe")]
    root.cursor().execute(FORGET)
    people.append(person("alice"))
    root.cursor().execute(FORGET)
    migrate = app.test_cli_runner().invoke
    for _ in range(2):
        answer = migrate(args=["db", "migrate"])
        assert (answer.exit_code, answer.output) == (0, "The schema is current.\n")
        assert skeletons(root) == [("alice", "aiice"), ("zoe", "zoe"), (None, "alice")]
    assert register(client, "a1ice").status_code == 409
    for one, name in zip(people, ("aIice", "zoe", "alice")):
        assert one.get("/api/v1/me").json["username"] == name
    root.cursor().execute("DELETE FROM users WHERE username = 'aIice'")
    migrate(args=["db", "migrate"])
    assert skeletons(root) == [("zoe", "zoe"), ("alice", "alice")]


def test_skeletons_of_an_older_rule_are_made_anew(app, person, root):
    for name in ("aIice", "zoe", "alice"):
        if name == "alice":  # the older rule did not know that I looks like l
            root.cursor().execute("UPDATE users SET username_skeleton = 'aiice' WHERE username = 'aIice'")
        person(name)
    root.cursor().execute("UPDATE users SET username_skeleton = 'zo3' WHERE username = 'zoe'")
    assert app.test_cli_runner().invoke(args=["db", "migrate"]).exit_code == 0
    assert skeletons(root) == [(None, "aiice"), ("zoe", "zoe"), ("alice", "alice")]


@pytest.mark.usefixtures("no_demo_files")
def test_the_demo_world_gets_in_beside_an_account_that_looks_like_one_of_its_people(app, client, root):
    assert register(client, "al1ce_").status_code == 201
    root.cursor().execute("UPDATE users SET username_skeleton = 'alice'")
    answer = app.test_cli_runner().invoke(args=["demo", "load"])
    assert answer.exit_code == 0, answer.output
    with root.cursor() as cursor:
        cursor.execute("SELECT username, username_skeleton FROM users WHERE username IN ('alice', 'demo')")
        assert sorted(cursor.fetchall()) == [("alice", None), ("demo", "derno")]
    assert client.get("/api/v1/users/alice").json["username"] == "alice"
