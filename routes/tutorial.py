"""The Flask tutorial, to try: each address does what the tutorial's text says, but without the faults of its code.

The text is written for beginners, and its code is not safe for users. Each view says what was mended. It is on under
`python app.py` and off elsewhere (TUTORIAL).
"""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from pydantic import BaseModel, Field

from current import db
from web.api import api
from web.errors import answer
from web.passwords import hash_password

bp = Blueprint("tutorial", __name__)


class Login(BaseModel):
    """The two fields of the form, and of the JSON."""

    username: Annotated[str, Field(max_length=1000, examples=["张三"])]  # the column allows 20 when it is stored
    password: Annotated[str, Field(max_length=1000, examples=["12345678"])]


class Someone(BaseModel):
    """A person in an answer."""

    id: int
    name: str


class Answer(BaseModel):
    """An answer with an object inside."""

    message: str
    data: Someone


@bp.get("/")
@api(returns="text/html", login=None)
def index(lang: str | None = None):
    """Show a page made from a template.

    The language is that of the reader, or the one that `lang` chooses: en or zh.
    """
    image = url_for("static", filename="hello.svg")
    return render_template(
        "test.html", title="Hello World! Hello Flask!", content="This is my first flask app！", image_url=image
    )


@bp.get("/hello")
@api(returns="text/plain", login=None)
def hello():
    """Say hello.

    This is the first view of all.
    """
    return "Hello, World!"


@bp.get("/weather/<city>")
@api(returns="tutorial.get_weather", login=None)
def weather(city):
    """Get the weather of a city.

    The city is a variable in the URL, and the answer is JSON.
    """
    return db.fetch_one("tutorial.get_weather", city=city)


@bp.get("/test_get")
@api(returns="text/html", login=None, errors=(400,))
def test_get(user_name: str | None = None):
    """Read a query parameter.

    Mended: without the parameter, the text's code answers 500, and it sends markup back unescaped (XSS).
    """
    user_name is not None or abort(400, "The parameter user_name is missing.")
    return Markup("Hello,{}").format(user_name)


@bp.get("/login")
@api(returns="text/html", login=None)
def login():
    """Show a page with a form."""
    return render_template("login.html")


@bp.post("/test_post")
@api(returns="text/html", status=302, login=None, transaction=False)
def test_post(form: Login):
    """Receive a form and redirect."""
    return redirect(url_for("tutorial.success", user_name=form.username))


@bp.get("/success")
@api(returns="text/html", login=None, errors=(400,))
def success(user_name: str | None = None):
    """Show where the form leads.

    Mended in the same way as /test_get.
    """
    return test_get(user_name)


@bp.get("/test_request")
@api(returns="text/html", status=302, login=None)
def test_request():
    """Redirect to the form.

    One address has two methods; this is GET.
    """
    return redirect(url_for("tutorial.login"))


@bp.post("/test_request")
@api(returns="text/html", status=302, login=None, transaction=False)
def test_request_post(form: Login):
    """Receive a form at the same address.

    One address has two methods; this is POST.
    """
    return test_post(form)


@bp.post("/get_json")
@api(returns="text/html", login=None, transaction=False)
def get_json(body: Login):
    """Receive JSON.

    Mended: the text's code sends the password back, and answers 500 when a key is missing.
    """
    return Markup("Data received. username:{} and password:******").format(body.username)


@bp.get("/response_json")
@api(returns=Answer, login=None)
def response_json():
    """Return JSON."""
    return {"message": "Success", "data": {"id": 1, "name": "Zhang San"}}


@bp.post("/save_data_to_mysql")
@api(returns="text/html", login=None, errors_as="text/html")
def save_data_to_mysql(body: Login):
    """Store a row.

    Mended: the text creates a table `test` but inserts into `user`; stores the password as plain text; opens a connection
    per request and closes it in __del__; builds SQL from the keys of the JSON; sends the database's error text to the
    client; and has the root password in the source. Here it is one query in sql/tutorial.sql, with placeholders and a
    connection pool.
    """
    db.insert("tutorial.create_user", username=body.username, password_hash=hash_password(body.password))
    return "Commit Status:Succeeded, Message:Data inserted successfully."


@bp.errorhandler(Exception)
def show_failure(error: Exception):
    """Answer an error of the last example as its text does. Errors of all others look like the rest of the API."""
    response = answer(error)
    if request.endpoint != "tutorial.save_data_to_mysql":
        return response
    problem = response.get_json()
    reasons = [f"{field}: {reason}" for field, reason in problem.get("errors", {}).items()] or [problem["detail"]]
    response.set_data(Markup("Commit Status:Failed, Message:{}").format(" ".join(reasons)))
    response.mimetype = "text/html"
    return response
