"""What a request brings, validated whole: every bad field in one 422.

A view's parameters tell what it takes. Those of the URL come from the URL; `body` is a model read from JSON, `form` one
read from a form; one annotated with Raw() or Upload() is the body itself, a file; one with Part() is a file beside the
fields of `body`, which then may come as a form too; one with Header() is a header; every other one is a query parameter,
by its annotation and default, and a model there stands for a group of them (like Page).
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Annotated, Any, cast, get_origin

from annotated_types import GroupedMetadata
from flask import abort, request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import FormDataParser
from werkzeug.wsgi import LimitedStream

from web.errors import Problem

MOST_ERRORS = 20  # that one answer tells; a hostile body may have thousands
LONGEST_NAME = 64  # characters of a field that nobody knows, in an answer

FORM = "multipart/form-data"
MOST_PARTS = 50  # of a form
ANY = ConfigDict(arbitrary_types_allowed=True)

UNSENT: Any = None
"""The default of a field that may be left out of a partial update but not be null."""


class Input(BaseModel):
    """The base of every model of a body or a form: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# Characters that show nothing (Unicode's Default_Ignorable_Code_Point). Two names may not differ in them alone.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def _paragraphs(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text):
        raise ValueError("control characters are not allowed")
    return text


def _one_line(text: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text):
        raise ValueError("line breaks and control characters are not allowed")
    if text and not INVISIBLE.sub("", text).strip():
        raise ValueError("this shows nothing")
    return text


@dataclass(frozen=True)
class Line(GroupedMetadata):
    """One line of text, without the spaces around it; lengths in characters: Annotated[str, Line(1, 200)]."""

    shortest: int
    longest: int

    def __iter__(self) -> Iterator[Any]:
        yield from StringConstraints(strip_whitespace=True, min_length=self.shortest, max_length=self.longest)
        yield AfterValidator(_one_line)


@dataclass(frozen=True)
class Text(GroupedMetadata):
    """Text of any number of lines, whose ends become LF; `longest` in characters."""

    longest: int

    def __iter__(self) -> Iterator[Any]:
        yield from StringConstraints(max_length=self.longest)
        yield AfterValidator(_paragraphs)


class Raw:
    """The body is a file, as it is: Annotated[bytes, Raw("image/png", largest=5 * MiB)]. Validators may come after it."""

    def __init__(self, *kinds: str, largest: int):
        self.kinds, self.largest = kinds, largest

    def read(self) -> bytes:
        """Read it whole. Aborts with 415 for another kind, 413 for too many bytes, unread if their number is known."""
        if request.mimetype not in self.kinds:
            kinds = ", ".join(self.kinds)
            abort(415, f"Send the file itself as the body, and its kind as Content-Type: one of {kinds}.")
        request.max_content_length = self.largest + 1  # one more, as werkzeug cuts a chunked body without a word
        if (request.content_length or 0) > self.largest or len(data := request.get_data(cache=False)) > self.largest:
            abort(413, f"The file is too large: at most {self.largest / 1024 / 1024:.3g} MiB.")
        return data or abort(400, "The body is empty.")


class Upload:
    """The body is a file too large for memory: Annotated[Arriving, Upload("video/mp4", into=place)].

    `into` is called with what is in the URL and opens the place, a media.storage.Arriving: what it raises comes before
    anything is read. Validators may come after it. Where it `may_be_empty`, a request without a body has no kind either.
    """

    def __init__(self, *kinds: str, into: Callable[..., Any], may_be_empty: bool = False):
        self.kinds, self.into, self.may_be_empty = kinds, into, may_be_empty

    def read(self, path: dict[str, Any]) -> Any:
        """Read it into its place. Aborts with a 415 for another kind; raises what `into` does, or its place when full."""
        is_empty = not request.content_length and "Transfer-Encoding" not in request.headers
        if request.mimetype not in self.kinds and not (self.may_be_empty and is_empty):
            kinds = ", ".join(self.kinds)
            abort(415, f"Send the file itself as the body, and its kind as Content-Type: one of {kinds}.")
        file = self.into(**path)
        if (request.content_length or 0) > file.room:
            raise file.refusal
        return file.take(_Body())


class Part(Upload):
    """A file in a multipart form, whose other parts are the fields of `body`. The body may be JSON as well: then it is None.

    A field of the body that is a list is a part that may come several times. `before` is called before a form is read, which
    may take as long as its sender likes even if there is no file in it.
    """

    def __init__(self, *kinds: str, into: Callable[..., Any], before: Callable[[], object]):
        super().__init__(*kinds, into=into)
        self.before = before

    def read_form(self, path: dict[str, Any]) -> tuple[MultiDict[str, str], dict[str, Any]]:
        """Read the form; return its fields, and by its name the place into which the one file has gone."""
        self.before()
        files: list[Any] = []

        def place(*_: Any, **__: Any) -> Any:
            if files:
                abort(400, "A form may have one file.")
            files.append(self.into(**path))
            return files[0]

        most = request.max_content_length  # bytes of a field, as of any other body; the place has a limit of its own
        parser = FormDataParser(place, max_form_memory_size=most, max_form_parts=MOST_PARTS, silent=False)
        try:
            _, fields, parts = parser.parse(
                cast(IO[bytes], _Body()), FORM, request.content_length, request.mimetype_params
            )
        except ValueError:
            abort(400, "The body is not the multipart form that its Content-Type says.")
        # A browser sends an empty one where none was chosen.
        return fields, {str(name): part.stream for name, part in parts.items() if part.filename or files[0].size}


class _Body(LimitedStream):
    """The body as it comes, however long. A client that has gone in the middle of it is no fault of ours, and no end of a file."""

    def __init__(self) -> None:
        length = request.content_length
        if length is None and "wsgi.input_terminated" not in request.environ:
            length = 0  # no server tells where it ends
        super().__init__(request.environ["wsgi.input"], sys.maxsize if length is None else length, length is None)

    def readinto(self, b: Any) -> int | None:
        try:
            return super().readinto(b)
        except Exception:  # of what is no chunk, each server says something else
            abort(400, "The body broke off before its end.")


class Header:
    """The value comes in a header: Annotated[int, Header("Upload-Offset")]. With a default it may be left out.

    `refusal` makes what is raised instead of a 422 if it is missing or wrong.
    """

    def __init__(self, name: str, refusal: Callable[[], Exception] | None = None):
        self.name, self.refusal = name, refusal


def username_key(name: str) -> str:
    """What makes two usernames one: regardless of case, of width, and of how an accent is composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.strip()).casefold())


def sent(body: BaseModel) -> dict[str, Any]:
    """The arguments of a partial update: for each field its value, and has_<field>, whether it was sent at all."""
    return {
        **{name: getattr(body, name) for name in type(body).model_fields},
        **{f"has_{name}": name in body.model_fields_set for name in type(body).model_fields},
    }


class Inputs:
    """What one view takes from a request; built once, from its signature."""

    def __init__(self, view: Callable[..., Any], path_parameters: Iterable[str]):
        self.body: type[BaseModel] | None = None
        self.form: type[BaseModel] | None = None
        self.file: Raw | Upload | None = None
        self.groups: dict[str, type[BaseModel]] = {}
        fields: dict[str, Any] = {}
        headers: dict[str, Any] = {}
        self.refusals: dict[str, Callable[[], Exception]] = {}  # of headers
        # Not typing.get_type_hints: where the default is None, Python 3.10 hides the annotation in an Optional.
        for name, parameter in inspect.signature(view, eval_str=True).parameters.items():
            if name in path_parameters:
                continue
            hint = parameter.annotation
            if hint is parameter.empty:
                raise TypeError(
                    f"{view.__module__}.{view.__name__}: `{name}` is not in the URL, so it needs an annotation"
                )
            if name in ("body", "form"):
                setattr(self, name, hint)
            elif isinstance(source := _source(hint), (Raw, Upload)):
                self.file, self.file_name, self.file_type = source, name, TypeAdapter(hint, config=ANY)
            elif isinstance(source, Header):
                default = ... if parameter.default is parameter.empty else parameter.default
                headers[name] = (Annotated[hint, Field(alias=source.name)], default)
                if source.refusal:
                    self.refusals[source.name] = source.refusal
            elif isinstance(hint, type) and issubclass(hint, BaseModel):
                self.groups[name] = hint
                fields.update({key: (field.annotation, field) for key, field in hint.model_fields.items()})
            else:
                fields[name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
        self.query = create_model("Query", __config__=ConfigDict(extra="forbid"), **fields)
        self.headers = create_model("Headers", **headers)
        self.fields = self.query.model_fields
        self.lists = _lists(self.query)
        self.body_lists: set[str] = _lists(self.body) if self.body else set()

    def read(self, path: dict[str, Any]) -> dict[str, Any]:
        """Read the request. Aborts with 400 for broken JSON, 415 for another content type, 422 for wrong values."""
        errors: dict[str, str] = {}
        arguments = {**self._query(errors), **self._headers(errors)}
        if self.body and isinstance(self.file, Part) and request.mimetype == FORM:
            self._read_form(self.file, path, arguments, errors)
        elif self.body:
            arguments["body"] = _checked(self.body.model_validate_json, _json(), errors, self.body, "body", strict=True)
        if self.form:
            arguments["form"] = _checked(self.form.model_validate, request.form.to_dict(), errors, self.form, "form")
        if self.file and not isinstance(self.file, Part):
            _refuse(errors)  # before a large file is read
            file = self.file.read() if isinstance(self.file, Raw) else self.file.read({**path, **arguments})
            arguments[self.file_name] = _checked(self.file_type.validate_python, file, errors, self.query, "body")
        _refuse(errors)
        return arguments

    def _read_form(self, part: Part, path: dict[str, Any], arguments: dict[str, Any], errors: dict[str, str]) -> None:
        _refuse(errors)
        assert self.body
        fields, files = part.read_form({**path, **arguments})
        given = {}
        for name, several in fields.lists():
            given[str(name)] = several if name in self.body_lists else several[0]
            if len(several) > 1 and name not in self.body_lists:
                errors[name] = "This field was sent more than once."
            elif any("\ufffd" in value for value in several):  # what the parser makes of it
                errors[name] = "This is no UTF-8."
        arguments["body"] = _checked(self.body.model_validate, given, errors, self.body, "body")
        errors.update(
            dict.fromkeys(files.keys() - {self.file_name}, f"The file of this form is the part `{self.file_name}`.")
        )
        if not errors and self.file_name in files:
            file = files[self.file_name]
            arguments[self.file_name] = _checked(
                self.file_type.validate_python, file, errors, self.query, self.file_name
            )

    def _headers(self, errors: dict[str, str]) -> dict[str, Any]:
        given = {field.alias: request.headers[field.alias or ""] for field in self.headers.model_fields.values()
                 if field.alias in request.headers}  # fmt: skip
        checked = _checked(self.headers.model_validate, given, errors, self.headers, "headers")
        for name in self.refusals.keys() & errors.keys():
            raise self.refusals[name]()
        return {name: getattr(checked, name) for name in self.headers.model_fields} if checked else {}

    def _query(self, errors: dict[str, str]) -> dict[str, Any]:
        if not (self.fields or request.query_string):
            return {}
        given: dict[str, Any] = {}
        for key, several in request.args.lists():
            given[key] = several if key in self.lists else several[0]
            if len(several) > 1 and key not in self.lists:
                errors[key] = "This parameter was sent more than once."
        checked = _checked(self.query.model_validate, given, errors, self.query, "query")
        values = {key: getattr(checked, key) for key in self.fields} if checked else {}
        groups = {
            name: group.model_construct(**{key: values.pop(key) for key in group.model_fields if key in values})
            for name, group in self.groups.items()
        }
        return {**values, **groups}


def _refuse(errors: dict[str, str]) -> None:
    if errors:
        raise Problem(422, "Some of what was sent is not right: see `errors`.", "validation_failed", errors)


def _source(hint: Any) -> Raw | Upload | Header | None:
    """What an annotation says of where a parameter comes from, if not from the query."""
    return next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, (Raw, Upload, Header))), None)


def _lists(model: type[BaseModel]) -> set[str]:
    """The fields that hold several values."""
    return {key for key, field in model.model_fields.items() if get_origin(field.annotation) is list}


def _json() -> bytes:
    if request.mimetype != "application/json":
        abort(415, "Send JSON, with the header Content-Type: application/json.")
    data = request.get_data(cache=False)
    if request.content_length is None and len(data) >= (request.max_content_length or 0):
        abort(413)  # a chunked body, which werkzeug has cut there without a word
    return data


def _checked(
    validate: Any, data: Any, errors: dict[str, str], model: type[BaseModel], where: str, **options: Any
) -> Any:
    """Validate, and collect one sentence per field. None if it failed."""
    try:
        return validate(data, **options)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False)[:MOST_ERRORS]:
            if one["type"] == "json_invalid":
                _refuse_json(data, one["msg"])
            errors[".".join(map(str, one["loc"]))[:LONGEST_NAME] or where] = _sentence(one, model)
    return None


def _refuse_json(data: bytes, message: str) -> None:
    if not data:
        raise Problem(400, "The body is empty.", "invalid_json")
    try:
        json.loads(data.decode())  # as text, or it would take UTF-16 and a byte order mark as well
        if "recursion" in message:
            raise RecursionError
    except (ValueError, RecursionError):
        raise Problem(400, f"The body is not {message.replace('Invalid', 'valid', 1)}.", "invalid_json") from None
    # Good grammar and yet no text: a lone surrogate, which no database can store.
    raise Problem(422, f"The body holds text that is no Unicode: {message}.", "validation_failed", {"body": message})


def _sentence(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(error["loc"][-1])[:LONGEST_NAME], list(model.model_fields), 1)
        return f"There is no such field; did you mean {close[0]}?" if close else "There is no such field."
    if error["type"] == "missing":
        return "This field is required."
    sentence = error["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    return f"{sentence[0].upper()}{sentence[1:]}."
