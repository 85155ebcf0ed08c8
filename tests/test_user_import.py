"""`flask user import`: the people of a CSV file, all or none."""

from __future__ import annotations

import csv
import re
import stat

import pytest

from ops.commands import user
from web.passwords import is_password

pytestmark = pytest.mark.whole  # files of many kinds

PASSWORD = "correct horse"


@pytest.fixture
def run(app, tmp_path):
    """Import a file. Return the exit code and the lines that were printed."""

    def run(data, *words, encoding="utf-8"):
        file = tmp_path / "people.csv"
        file.write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
        done = app.test_cli_runner().invoke(args=["user", "import", str(file), *words])
        return done.exit_code, done.output.splitlines()

    return run


def rows(root, sql, *arguments):
    with root.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def names(root):
    return [name for (name,) in rows(root, "SELECT username FROM users ORDER BY id")]


CLASS = f"name,email,password,role\r\n张三丰,zhang@example.org,{PASSWORD},\r\nlee,,{PASSWORD},moderator\r\n"


def test_people_are_created_with_all_that_the_file_says(run, root, client):
    assert run(CLASS) == (0, ["2 people are there, 0 of them with a new password."])
    assert rows(root, "SELECT username, email, email_key, role FROM users ORDER BY id") == (
        ("张三丰", "zhang@example.org", None, "user"),
        ("lee", None, None, "moderator"),
    )
    for name in ("张三丰", "lee"):
        assert client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD}).status_code == 200
    actions = rows(root, "SELECT action, address FROM audit_logs WHERE address = 'command line' ORDER BY id")
    assert actions == (("register", "command line"),) * 2 + (("user.role", "command line"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_file_is_read_as_excel_writes_it(run, root, encoding, comma):
    assert run(CLASS.replace(",", comma), encoding=encoding)[0] == 0
    assert names(root) == ["张三丰", "lee"]


def test_the_columns_may_be_chinese_in_any_order_and_fewer(run, root):
    assert run(f"密码,用户名,角色\n{PASSWORD},王小明,管理员\n\n,李小雷\n")[0] == 0
    assert rows(root, "SELECT username, role FROM users ORDER BY id") == (("王小明", "admin"), ("李小雷", "user"))
    assert run("\ufeffName\nlee\n")[0] == 0


def test_new_passwords_are_printed_once(run, root):
    code, (told, *lines) = run("name\nann\nlee\n")
    assert (code, told) == (0, "2 people are there, 2 of them with a new password.")
    made = dict(line.split(" ") for line in lines)
    stored = dict(rows(root, "SELECT username, password_hash FROM users"))
    assert made.keys() == stored.keys() == {"ann", "lee"}
    assert len(set(made.values())) == 2
    assert all(re.fullmatch(r"\S{12}", one) for one in made.values())


def test_new_passwords_go_into_a_file_that_only_its_owner_reads(run, root, app, tmp_path):
    path = tmp_path / "passwords.csv"
    code, lines = run(f"name,password\n张三丰,\nlee,{PASSWORD}\n", "--passwords", str(path))
    assert (code, lines) == (0, ["2 people are there, 1 of them with a new password."])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, (name, password) = csv.reader(file)
    assert (head, name) == (["name", "password"], "张三丰")
    with app.app_context():
        assert is_password(password, rows(root, "SELECT password_hash FROM users WHERE username = '张三丰'")[0][0])


def test_a_file_of_passwords_is_never_overwritten_and_not_left_after_a_fault(run, root, alice, tmp_path):
    path = tmp_path / "passwords.csv"
    assert run("name\nalice\n", "--passwords", str(path))[0] == 1
    assert not path.exists()
    path.write_text("precious")
    assert run("name\na b\n", "--passwords", str(path))[0] == 1
    code, lines = run("name\nlee\n", "--passwords", str(path))
    assert (code, lines) == (1, [f"Error: {path} cannot be made: File exists."])
    assert path.read_text() == "precious"
    assert names(root) == ["alice"]


def test_all_faults_are_told_by_line_and_nobody_is_stored(run, root):
    text = f"""name,email,password,role
good,,{PASSWORD},
a b,,{PASSWORD},
,lee@example.org,{PASSWORD},
lee,nowhere,{PASSWORD},
ann,,short,
GOOD,,{PASSWORD},
kim,,{PASSWORD},boss
"x,y",,{PASSWORD},
tom,,{PASSWORD},user,more
"""
    code, (first, *told) = run(text)
    assert (code, first) == (1, "Error: Nothing was stored.")
    assert [line.partition(":")[0] for line in told] == [f"line {n}" for n in (3, 4, 5, 6, 7, 8, 9, 10)]
    assert told[0] == "line 3: a b: a username has letters of any script, digits, _ . and - alone."
    assert told[4] == "line 7: GOOD is in line 2 already."
    assert told[5] == "line 8: boss is no role: there are user, moderator, admin."
    assert names(root) == []


def test_what_the_database_refuses_is_told_by_line_too(run, root, alice):
    code, lines = run("name\nlee\nALICE\npaul\nа1iсe\npau1\n")
    assert (code, lines) == (
        1,
        [
            "Error: Nothing was stored.",
            "line 3: ALICE: This username is taken.",
            "line 5: а1iсe: This username looks like one that is taken.",
            "line 6: pau1: This username looks like one that is taken.",
        ],
    )
    assert names(root) == ["alice"]
    assert rows(root, "SELECT id FROM audit_logs") == ()


def test_no_more_faults_are_told_than_can_be_read(run, root, monkeypatch):
    monkeypatch.setattr(user, "MAX_FAULTS", 3)
    people = "name\n" + "".join(f"person{n}\n" for n in range(9))
    assert run(people)[0] == 0
    code, lines = run(people)
    assert (code, len(lines)) == (1, 4)
    assert len(names(root)) == 9


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "line 1: no column is called name"),
        (b"email\nx@example.org\n", "line 1: no column is called name"),
        (b"name,age\nlee,9\n", "line 1: age is no column"),
        (b"name,\nlee,\n", "line 1: an empty cell is no column"),
        (b"name,username\nlee,ann\n", "line 1: the column name is there twice"),
        (b"\xff\xff\xffname\n", "line 1: the file is neither UTF-8 nor GBK"),
        (b"name\nl\x00ee\n", "line 2: "),
        (b"PK\x03\x04\x14\x00\x06\x00", "line 1: "),
    ],
)
def test_what_is_no_list_of_people_is_one_sentence(run, root, data, sentence):
    code, lines = run(data)
    assert code == 1
    assert lines[-1].removeprefix("Error: ").startswith(sentence)
    assert names(root) == []


def test_the_import_needs_no_approval(make_app, run, root):
    make_app(REGISTRATION="closed")
    assert run(CLASS)[0] == 0
    assert rows(root, "SELECT DISTINCT visibility FROM users") == (("public",),)
