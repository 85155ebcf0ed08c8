"""What a request brings, validated whole: every bad field in one 422.

A view's parameters tell what it takes. Those of the URL come from the URL; `body` is a model read from JSON, `form` one
read from a form; one annotated with Raw() is the body itself, a file; every other one is a query parameter, by its
annotation and default, and a model there stands for a group of them (like Page).
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin, get_type_hints

from annotated_types import GroupedMetadata
from flask import abort, request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)

from web.errors import Problem

MOST_ERRORS = 20  # that one answer tells; a hostile body may have thousands
LONGEST_NAME = 64  # characters of a field that nobody knows, in an answer

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
        hints = get_type_hints(view, include_extras=True)
        self.body: type[BaseModel] | None = None
        self.form: type[BaseModel] | None = None
        self.raw: Raw | None = None
        self.groups: dict[str, type[BaseModel]] = {}
        fields: dict[str, Any] = {}
        for name, parameter in inspect.signature(view).parameters.items():
            if name in path_parameters:
                continue
            hint = hints.get(name)
            if hint is None:
                raise TypeError(
                    f"{view.__module__}.{view.__name__}: `{name}` is not in the URL, so it needs an annotation"
                )
            if name in ("body", "form"):
                setattr(self, name, hint)
            elif found := [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Raw)]:
                self.raw, self.raw_name, self.raw_type = found[0], name, TypeAdapter(hint)
            elif isinstance(hint, type) and issubclass(hint, BaseModel):
                self.groups[name] = hint
                fields.update({key: (field.annotation, field) for key, field in hint.model_fields.items()})
            else:
                fields[name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
        self.query = create_model("Query", __config__=ConfigDict(extra="forbid"), **fields)
        self.fields = self.query.model_fields
        self.lists = {key for key, field in self.fields.items() if get_origin(field.annotation) is list}

    def read(self) -> dict[str, Any]:
        """Read the request. Aborts with 400 for broken JSON, 415 for another content type, 422 for wrong values."""
        errors: dict[str, str] = {}
        arguments = self._query(errors)
        if self.body:
            arguments["body"] = _checked(self.body.model_validate_json, _json(), errors, self.body, "body", strict=True)
        if self.form:
            arguments["form"] = _checked(self.form.model_validate, request.form.to_dict(), errors, self.form, "form")
        if self.raw:
            file = self.raw.read()
            arguments[self.raw_name] = _checked(self.raw_type.validate_python, file, errors, self.query, "body")
        if errors:
            raise Problem(422, "Some of what was sent is not right: see `errors`.", "validation_failed", errors)
        return arguments

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
