"""Every sentence for people has a Chinese twin in translations/zh/, and answers come in the language of the client.

The sentences are found in the code, in the headers of sql/*.sql, in pydantic and in the OpenAPI document.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic_core import PydanticKnownError
from werkzeug.exceptions import BadRequest

from config import ROOT, ConfigError, load, sources
from language import FOLDER, clause_of, either, finish, join, of_terminal, say, translate, twins, whole
from ops.commands.api import make_views_app
from ops.postman.item import SENT_BY
from queries import load_rules
from web import errors
from web.contract import document

CHINESE = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"[A-Z“].* .*[.?]", re.DOTALL)
# A string in these folders that reads like a sentence is one that the API answers.
ANSWERING = {"web", "domain", "routes", "media"}
SILENT = {
    "web/metrics.py": "the texts of /metrics, for Prometheus",
    "web/contract.py": "the document, which is looked at as a whole",
    "web/responses.py": "the document, which is looked at as a whole",
    "domain/dependents.py": "reasons for those who read the code",
    "media/thumbnails.py": "what is stored with a job, in one language",
    "routes/tutorial.py": "the words of the tutorial's own text",
}
# The first argument that is a sentence or a clause, by the function.
SPEAKING = {
    **dict.fromkeys(("say", "InvalidInput", "NotAVideo", "NotAPicture", "ConfigError", "MigrationError"), 0),
    **dict.fromkeys(("abort", "Problem", "fail"), 1),
}
DEVELOPERS = {"log", "TypeError", "QueryError", "ArgumentError", "Field", "AssertionError"}
# What the kinds of our inputs raise in pydantic, with an example of the values.
FAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "str": {
        "string_type": {},
        "string_too_short": {"min_length": 2},
        "string_too_long": {"max_length": 2},
        "string_pattern_mismatch": {"pattern": "a"},
        "string_unicode": {},
    },
    "int": {"int_type": {}, "int_parsing": {}, "int_from_float": {}, "int_parsing_size": {}},
    "float": {
        "float_type": {},
        "float_parsing": {},
        "finite_number": {},
        "greater_than": {"gt": 1},
        "greater_than_equal": {"ge": 1},
        "less_than": {"lt": 1},
        "less_than_equal": {"le": 1},
    },
    "bool": {"bool_type": {}, "bool_parsing": {}},
    "datetime": {
        "datetime_type": {},
        "datetime_parsing": {"error": "x"},
        "datetime_from_date_parsing": {"error": "x"},
        "datetime_object_invalid": {"error": "x"},
        "timezone_aware": {},
    },
    "date": {
        "date_type": {},
        "date_parsing": {"error": "x"},
        "date_from_datetime_parsing": {"error": "x"},
        "date_from_datetime_inexact": {},
    },
    "time": {"time_type": {}, "time_parsing": {"error": "x"}},
    "decimal": {
        "decimal_type": {},
        "decimal_parsing": {},
        "decimal_max_digits": {"max_digits": 2},
        "decimal_max_places": {"decimal_places": 2},
        "decimal_whole_digits": {"whole_digits": 2},
    },
    "enum": {"enum": {"expected": "'a' or 'b'"}},
    "uuid": {"uuid_type": {}, "uuid_parsing": {"error": "x"}},
    "list": {
        "list_type": {},
        "too_short": {"field_type": "List", "min_length": 1, "actual_length": 0},
        "too_long": {"field_type": "List", "max_length": 1, "actual_length": 2},
    },
    "literal": {"literal_error": {"expected": "'a' or 'b'"}},
    "model": {"model_type": {"class_name": "X"}},
    "model-fields": {"model_attributes_type": {}},  # `missing` and `extra_forbidden` have sentences of our own
}
RAISES_NOTHING = {"any", "default", "nullable", "model-field", "no-info", "function-after", "function-before"}
OF_OTHERS = {"date", "time", "decimal", "enum", "uuid"}  # no view of ours takes them, one of yours may
# What pydantic says otherwise of JSON: there a list is an array.
OF_JSON = ("Input should be a valid array", "Input should be an object")


# Where the sentences are


class Module:
    """One Python file."""

    def __init__(self, path: Path):
        self.name, self.tree = path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]
        self.function = {id(node): function for function in functions for node in ast.walk(function)}
        self.values: dict[tuple[str, str], list[ast.expr]] = {}  # by function and variable
        for node in ast.walk(self.tree):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Name):
                    self.values.setdefault((self.place(node), target.id), []).append(node.value)

    def place(self, node: ast.AST) -> str:
        """Return the name of the function around a node. Empty: there is none."""
        return self.function[id(node)].name if id(node) in self.function else ""

    def said(self) -> Iterator[str | ast.JoinedStr]:
        """Find the strings that people read: plain ones, and f-strings, which should be none."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (at := SPEAKING.get(ast.unparse(node.func))) is not None:
                yield from self.strings(node.args[at]) if len(node.args) > at else ()
        if self.name == "config.py":  # a validator of a setting may raise a ValueError
            for node in ast.walk(self.tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "ValueError":
                    yield from self.strings(node.args[0])
        if self.name.partition("/")[0] in ANSWERING and self.name not in SILENT:
            yield from self.sentences(self.tree)

    def strings(self, node: ast.expr) -> Iterator[str | ast.JoinedStr]:
        """Find the strings that an expression can be: a constant, a variable of this file, one of two."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield node
        elif isinstance(node, ast.Name):
            for value in self.values.get((self.place(node), node.id)) or self.values.get(("", node.id), []):
                yield from self.strings(value)
        elif isinstance(node, ast.IfExp):
            yield from [*self.strings(node.body), *self.strings(node.orelse)]
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self.strings(value)

    def sentences(self, node: ast.AST) -> Iterator[str | ast.JoinedStr]:
        """Find all that reads like a sentence, but for docstrings and what is for developers."""
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func).partition(".")[0] in DEVELOPERS:
            return
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            if SENTENCE.fullmatch(text):
                yield node
            return
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and SENTENCE.fullmatch(node.value):
                yield node.value
            return
        for child in ast.iter_child_nodes(node):
            yield from self.sentences(child)


@cache
def modules() -> list[Module]:
    return [Module(path) for path in sources()]


@cache
def contract(language: str = "en") -> dict[str, Any]:
    return document(make_views_app(), orjson.loads((ROOT / "sql/catalog.json").read_bytes()), language)


def texts(node: Any) -> Iterator[str]:
    """Find the summaries and descriptions of the document."""
    if isinstance(node, list):
        for one in node:
            yield from texts(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("summary", "description") and isinstance(value, str):
                yield from value.split("\n\n")
            elif key not in ("example", "examples"):
                yield from texts(value)


def kinds(node: Any) -> Iterator[str]:
    """Find the kinds of values in a schema of pydantic's core."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node["type"]
        for value in node.values():
            yield from kinds(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from kinds(value)


def faults() -> Iterator[str]:
    """Find what pydantic may say about our inputs, without values."""
    operations = [getattr(view, "operation", None) for view in make_views_app().view_functions.values()]
    inputs = [operation.inputs for operation in operations if operation]
    models = [model for one in inputs for model in (one.body, one.form, one.query, one.headers) if model]
    found = {kind for model in models for kind in kinds(model.__pydantic_core_schema__)}
    unknown = found - RAISES_NOTHING - FAULTS.keys()
    assert not unknown, (
        f"FAULTS in tests/test_translations.py does not say what pydantic answers to {', '.join(sorted(unknown))}"
    )
    for kind in sorted(found - RAISES_NOTHING | OF_OTHERS):
        for name, values in FAULTS[kind].items():
            error = PydanticKnownError(name, values or None)
            clause = clause_of({"type": name, "msg": error.message(), "ctx": values})
            yield clause.pattern


@cache
def spoken() -> dict[str, str]:
    """Return every sentence that needs a twin, with its place."""
    found = {said: module.name for module in modules() for said in module.said() if isinstance(said, str)}
    found |= {rule.sentence: f"sql/*.sql: {name}" for name, rule in load_rules(ROOT / "sql").items()}
    found |= dict.fromkeys([*faults(), *OF_JSON, finish("x").pattern, either(["a", "b"]).pattern], "pydantic")
    found |= dict.fromkeys(SENT_BY.values(), "ops/postman/item.py")
    found |= dict.fromkeys(errors.SENTENCES.values(), "web/errors.py")
    found |= {text: "/openapi.json" for text in texts(contract()) if not CHINESE.search(text)}
    for tag in contract()["tags"]:
        found |= dict.fromkeys((tag["name"], tag["description"]), "/openapi.json")
    found[BadRequest.description] = "werkzeug"
    return {said: place for said, place in found.items() if said and (said in twins("zh") or not CHINESE.search(said))}


# The catalog


def test_every_sentence_has_a_chinese_twin():
    missing = {said: place for said, place in spoken().items() if said not in twins("zh")}
    entries = [
        f'# {place}\nmsgid "{escape(said)}"\nmsgstr ""'
        for said, place in sorted(missing.items(), key=lambda one: one[1])
    ]
    if missing:
        pytest.fail(
            "These have no twin. Add them to translations/zh/: titles and groups to names.po, what /docs says below to"
            " descriptions.po, what the API refuses to problems.po, commands to terminal.po:\n\n"
            + "\n\n".join(entries),
            pytrace=False,
        )


def test_no_twin_is_left_over():
    assert [english for english in twins("zh") if english not in spoken()] == []


def test_a_twin_has_the_same_values_and_is_chinese():
    for english, twin in twins("zh").items():
        assert {*re.findall(r"{(\w+)}", english)} == {*re.findall(r"{(\w+)}", twin)}, english
        assert re.search("[\u3000-\u9fff\uff00-\uffef]", twin), english
        assert not re.search(r"[\u4e00-\u9fff][,;:?!]|[\u4e00-\u9fff]\.$", twin), f"{twin}: Chinese has its own signs"


def test_each_sentence_is_translated_once_and_every_entry_is_read():
    entries = [
        entry
        for path in sorted((FOLDER / "zh").glob("*.po"))
        for entry in re.findall("(?m)^msgid ", path.read_text("utf-8"))
    ]
    assert len(entries) == len(twins("zh")) + len([*(FOLDER / "zh").glob("*.po")])  # each file has a header


def test_a_sentence_with_a_value_is_no_f_string():
    found = [f"{m.name}:{said.lineno}" for m in modules() for said in m.said() if isinstance(said, ast.JoinedStr)]
    assert found == [], "say(...) keeps the sentence apart from its values"


def escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def test_a_sentence_keeps_its_values_apart():
    made = say("The file ends before this range: it has {size} bytes.", size=5)
    assert made == "The file ends before this range: it has 5 bytes."
    assert translate(made, "en") == made
    assert translate(made, "zh") == "文件在这个范围之前就结束了：一共 5 字节。"


def test_a_name_that_reads_like_a_sentence_is_a_name():
    made = say("There is nobody called {name}.", name="Not Found")
    assert translate(made, "zh") == "没有叫 Not Found 的用户。"
    assert translate(say("{what}: {clause}.", what="{x}", clause=whole("this shows nothing")), "zh") == (
        "{x}：里面没有看得见的内容。"
    )


def test_what_has_no_twin_stays_english():
    assert translate("So far nobody has said this.", "zh") == "So far nobody has said this."
    assert translate(say("Nobody said {what}.", what=1), "zh") == "Nobody said 1."
    assert translate(join(["This is no colour.", "x {y}"]), "zh") == "这不是颜色。 x {y}"


def test_a_catalog_is_read_as_gettext_writes_it(tmp_path, monkeypatch):
    (tmp_path / "zh").mkdir()
    text = (
        'msgid ""\nmsgstr "Language: zh\\n"\n\n#: a.py\nmsgid ""\n"One "\n"\\"two\\"\\n"\nmsgstr ""\n"一"\n"\\\\二"\n\n'
    )
    text += '#, fuzzy\nmsgid "Three"\nmsgstr "三"\n\nmsgid "Four"\nmsgstr ""\n\nmsgid "Five"\nmsgstr "五"'
    (tmp_path / "zh/one.po").write_bytes(text.replace("\n", "\r\n").encode())
    monkeypatch.setattr("language.FOLDER", tmp_path)
    assert twins.__wrapped__("zh") == {'One "two"\n': "一\\二", "Five": "五"}


# Over HTTP

ZH = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
JSON = {"Content-Type": "application/json"}
NEW = "/api/v1/auth/register"
# What is asked, and the sentence in both languages: of the answer, or of one field.
REFUSED = [
    ("GET", "/nowhere", {}, None, "There is nothing at this address.", "这个地址什么都没有。"),
    ("GET", "/api/v1/videos/9", {}, None, "No such video.", "没有这个视频。"),
    ("GET", "/api/v1/me", {}, None, "This needs a login: send the token as Authorization: Bearer <token>.",
     "这里需要登录：请用 Authorization: Bearer <token> 发送令牌。"),
    ("GET", "/api/v1/me", {"headers": {"Authorization": "Bearer x"}}, None, "This token is not valid, or no longer.",
     "令牌无效，或者已经失效。"),
    ("POST", "/metrics", {}, None, "This address does not know this method; it knows GET, HEAD, OPTIONS.",
     "这个地址不支持这种方法，支持的有：GET, HEAD, OPTIONS。"),
    ("GET", "/api/v1/videos?limit=0", {}, "limit", "Input should be greater than or equal to 1.", "应大于或等于 1。"),
    ("GET", "/api/v1/videos?limit=x", {}, "limit", "Input should be a valid integer.", "应为整数。"),
    ("GET", "/api/v1/videos?sort=x", {}, "sort", "Input should be 'new', 'hot' or 'views'.",
     "应为 'new', 'hot' 或 'views'。"),
    ("GET", "/api/v1/videos?limits=1", {}, "limits", "There is no such field; did you mean limit?",
     "没有这个字段，你要写的是 limit 吗？"),
    ("GET", "/api/v1/videos?sort=hot&q=x", {}, "q",
     "These cannot be combined: q, sort=hot. sort, category and is_playable go together, the others each alone.",
     "这些条件不能一起用：q, sort=hot。sort、category 和 is_playable 可以一起用；其他条件只能单独用。"),
    ("GET", "/api/v1/videos?category=x", {}, "category", "There is no such category: /api/v1/categories lists them.",
     "没有这个分类：/api/v1/categories 列出全部分类。"),
    ("GET", "/api/v1/videos?after=x", {}, "after", "This is no cursor of this list: begin again without `after`.",
     "这不是这个列表的游标：请不带 `after` 从头开始。"),
    ("POST", NEW, {"data": "x"}, None, "Send JSON, with the header Content-Type: application/json.",
     "请发送 JSON，并带上请求头 Content-Type: application/json。"),
    ("POST", NEW, {"data": "{", "headers": JSON}, None,
     "The body is not valid JSON: EOF while parsing an object at line 1 column 1.",
     "请求体不是有效的 JSON：EOF while parsing an object at line 1 column 1。"),
    ("POST", NEW, {"data": b" " * 200_000, "headers": JSON}, None, "The body is too large.", "请求体太大。"),
    ("POST", NEW, {"json": {"username": "carol"}}, "password", "This field is required.", "这个字段必填。"),
    ("POST", NEW, {"json": {"username": "carol", "password": "x"}}, "password",
     "String should have at least 8 characters.", "至少要有 8 个字符。"),
    ("POST", NEW, {"json": {"username": "a b c", "password": "long enough"}}, "username",
     "A username has letters of any script, digits, _ . and - alone.",
     "用户名只能用各种文字的字母（包括汉字）、数字和 _ . -。"),
    ("POST", NEW, {"json": {"username": "ALICE", "password": "long enough"}}, "username", "This username is taken.",
     "这个用户名已被使用。"),
    ("POST", NEW, {"json": {"username": 7, "password": "long enough"}}, "username", "Input should be a valid string.",
     "应为字符串。"),
    ("POST", "/api/v1/auth/login", {"json": {"username": "alice", "password": "wrong"}}, None,
     "The username or the password is wrong.", "用户名或密码错误。"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "sent", "field", "english", "chinese"), REFUSED)
def test_an_error_is_in_the_client_s_language(alice, client, method, path, sent, field, english, chinese):
    for headers, language, sentence in (({}, "en", english), (ZH, "zh", chinese)):
        answer = client.open(path, method=method, **{**sent, "headers": {**sent.get("headers", {}), **headers}})
        assert (answer.json["errors"][field] if field else answer.json["detail"]) == sentence
        assert answer.headers["Content-Language"] == language
        assert "Accept-Language" in answer.headers["Vary"]
    assert CHINESE.search(answer.json["title"])
    assert answer.json["code"].isascii()


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-Hans", "zh"),
        ("zh-TW", "zh"),
        ("ZH-cn", "zh"),
        ("en;q=0.5, zh;q=0.9", "zh"),
        ("fr, zh;q=0.1", "zh"),
        ("en, zh;q=0.9", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("", "en"),
        ("zh;q=x", "en"),
        ("zhuang", "en"),
        (",;=q", "en"),
    ],
)
def test_english_is_for_all_who_ask_for_no_chinese(client, accepted, language):
    answer = client.get("/nowhere", headers={"Accept-Language": accepted})
    assert answer.headers["Content-Language"] == language
    assert answer.json["title"] == {"en": "Not Found", "zh": "未找到"}[language]


def test_a_person_s_own_text_is_never_translated(alice, client, root):
    words = "UPDATE users SET banned_until = %s, ban_reason = 'Not Found' WHERE username = 'alice'"
    root.cursor().execute(words, ["9999-12-31"])
    answer = alice.get("/api/v1/me", headers=ZH)
    assert (answer.status_code, answer.json["detail"]) == (403, "这个账号已被永久封禁：Not Found")
    root.cursor().execute("UPDATE users SET ban_reason = '' WHERE username = 'alice'")
    assert alice.get("/api/v1/me", headers=ZH).json["detail"] == "这个账号已被永久封禁：没有写明原因。"
    assert alice.get("/api/v1/me").json["detail"] == "This account is banned for good: no reason is given."


def test_a_limit_says_in_both_languages_when_to_try_again(make_app):
    client = make_app(RATE_LIMITS=True, LIMIT_WRITES="1/60").test_client()
    client.post("/nowhere")
    wrong = {"json": {"username": "nobody", "password": "wrong"}}
    client.post("/api/v1/auth/login", **wrong)
    english, chinese = (client.post("/api/v1/auth/login", **wrong, headers=asked) for asked in ({}, ZH))
    assert english.status_code == chinese.status_code == 429
    assert re.fullmatch(r"Too many requests: try again in \d+ seconds?\.", english.json["detail"])
    assert re.fullmatch(r"请求太多：请 \d+ 秒后再试。", chinese.json["detail"])


def test_a_server_without_a_database_says_so_in_both_languages(make_app):
    client = make_app(DB_SOCKET="/nowhere/s.sock").test_client()
    answer = client.get("/api/v1/videos", headers=ZH)
    assert (answer.status_code, answer.json["detail"]) == (503, "现在连不上数据库。")
    assert client.get("/readyz", headers=ZH).json["detail"] == "现在连不上数据库。"
    assert client.get("/readyz").json["detail"] == "The database cannot be reached right now."


def test_the_log_is_english(make_app, listen):
    client = make_app(DB_SOCKET="/nowhere/s.sock").test_client()
    lines = listen()
    client.get("/api/v1/videos", headers=ZH)
    assert lines
    assert not CHINESE.search("\n".join(lines))


def test_players_get_their_own_form_in_the_reader_s_language(alice, client):
    answer = client.get("/api/dplayer/v3/?id=9", headers=ZH)
    assert (answer.status_code, answer.json) == (200, {"code": 1, "msg": "没有这个视频。"})
    assert answer.headers["Content-Language"] == "zh"
    answer = client.get("/api/v2/comment/9", headers=ZH)
    assert answer.json == {"success": False, "errorCode": 404, "errorMessage": "没有这个视频。"}
    assert answer.headers["X-Error-Message"] == "No such video."  # a header holds no Chinese
    tus = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    answer = alice.patch("/api/v1/uploads/none", headers={**ZH, **tus}, data=b"x")
    assert (answer.status_code, answer.json["detail"]) == (404, "你没有这次上传。")


def test_an_answer_that_is_no_error_depends_on_no_language(client):
    answer = client.get("/api/v1/videos", headers=ZH)
    assert "Content-Language" not in answer.headers
    assert answer.json == client.get("/api/v1/videos").json


# The document


def test_the_document_is_there_in_chinese(client):
    english, chinese = client.get("/openapi.json"), client.get("/openapi.json?lang=zh")
    assert (english.headers["Content-Language"], chinese.headers["Content-Language"]) == ("en", "zh")
    create = chinese.json["paths"]["/api/v1/videos"]["post"]
    assert create["summary"] == "创建视频"
    assert create["description"].startswith("发送 JSON，再用另一个请求发送文件")
    hidden = chinese.json["paths"]["/api/v1/admin/videos/{video_id}/hidden"]["put"]
    assert hidden["description"].endswith("\n\n需要角色 moderator 或 admin。")
    assert client.get("/openapi.json?lang=xx", headers=ZH).json == english.json
    assert names(chinese.json) == names(english.json)


def names(node: Any) -> Any:
    """Return the document without its texts."""
    if isinstance(node, list):
        return [names(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: names(value) for key, value in node.items()
            if not (key in ("summary", "description") and isinstance(value, str))}  # fmt: skip


def test_no_english_is_left_in_the_chinese_document():
    assert [text for text in texts(contract("zh")) if not CHINESE.search(text)] == []


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [("", "zh", "zh"), ("", "fr", "en"), ("?lang=zh", "en", "zh"), ("?lang=en", "zh", "en")],
)
def test_the_page_of_the_document_is_in_the_reader_s_language(client, query, accepted, language):
    page = client.get(f"/docs{query}", headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in page.text
    assert f'data-document="/openapi.json?lang={language}"' in page.text
    assert page.headers["Vary"] == "Accept-Language"


# The terminal


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_terminal_s_language_is_found_as_gettext_does_it(monkeypatch, variables, language):
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert of_terminal() == language


@pytest.mark.parametrize(
    ("name", "language"), [("Chinese (Simplified)_China", "zh"), ("English_United States", "en"), (None, "en")]
)
def test_windows_has_a_locale_and_no_variable(monkeypatch, name, language):
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("language.locale.getlocale", lambda: (name, "936"))
    with monkeypatch.context() as windows:
        windows.setattr("language.os.name", "nt")
        found = of_terminal()
    assert found == language


@pytest.mark.parametrize(
    ("environment", "english", "chinese"),
    [
        ({"PORT": "x"}, "PORT=x: Input should be a valid integer.", "PORT=x：应为整数。"),
        ({"DB_HOST": "db:3306"}, "DB_HOST=db:3306: write the port as DB_PORT.", "DB_HOST=db:3306：端口请写在 DB_PORT 里。"),
        ({"DEBUG": "1", "HOST": "0.0.0.0"},
         "DEBUG=1 is for this machine alone: set DEBUG=0, or HOST to 127.0.0.1 and not 0.0.0.0.",
         "DEBUG=1 只能在本机用：请设 DEBUG=0，或者把 HOST 设为 127.0.0.1，而不是 0.0.0.0。"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_in_the_terminal_s_language(monkeypatch, environment, english, chinese):
    with pytest.raises(ConfigError) as error:
        load("development", environment)
    assert str(error.value) == error.value.format_message() == english
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    assert error.value.format_message() == chinese


def test_a_command_ends_in_the_terminal_s_language(app, monkeypatch):
    runner = app.test_cli_runner()
    assert "Error: There is nobody called nobody.\n" in runner.invoke(args=["user", "role", "nobody", "admin"]).output
    monkeypatch.setenv("LANGUAGE", "zh")
    assert "没有叫 nobody 的用户。" in runner.invoke(args=["user", "role", "nobody", "admin"]).output
