"""The inputs of a request, validated together: all bad fields in one 422.

The parameters of a view tell what it takes. A parameter of the URL comes from the URL. `body` is a model that is read
from JSON, `form` a model that is read from a form. With Raw() or Upload() the parameter is the body itself, a file.
With Part() it is a file beside the fields of `body`, which may then come as a form too. With Header() it is a header.
Every other parameter is a query parameter, with its annotation and default; a model there is a group of query
parameters (like Page).
"""

from __future__ import annotations

import codecs
import difflib
import inspect
import json
import math
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, get_origin

from flask import abort, request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from language import clause_of, finish, say
from web import mistakes
from web.body import FORM, Part, Raw, Upload, refuse_part
from web.errors import InvalidInput, Problem

MAX_ERRORS = 20  # in one answer; a hostile body may have thousands
MAX_NAME_LENGTH = 64  # characters of an unknown field's name, in an answer

ANY = ConfigDict(arbitrary_types_allowed=True)

UNSENT: Any = None
"""The default of a field that a partial update may leave out, but not set to null."""


class Input(BaseModel):
    """The base of all models of bodies and forms. An unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Header:
    """The value comes in a header: Annotated[int, Header("Upload-Offset")]. With a default it is optional.

    `refusal` makes the exception for a missing or wrong value; without it that is a 422.
    """

    def __init__(self, name: str, refusal: Callable[[], Exception] | None = None):
        self.name, self.refusal = name, refusal


def sent(body: BaseModel) -> dict[str, Any]:
    """Return the arguments of a partial update: each field's value, and has_<field>, which is true if it was sent."""
    return {
        **{name: getattr(body, name) for name in type(body).model_fields},
        **{f"has_{name}": name in body.model_fields_set for name in type(body).model_fields},
    }


class Inputs:
    """The inputs of one view. Made once, from its signature."""

    def __init__(self, view: Callable[..., Any], path_parameters: Set[str]):
        self.body: type[BaseModel] | None = None
        self.form: type[BaseModel] | None = None
        self.file: Raw | Upload | None = None
        self.groups: dict[str, type[BaseModel]] = {}
        fields: dict[str, Any] = {}
        headers: dict[str, Any] = {}
        self.refusals: dict[str, Callable[[], Exception]] = {}  # by header
        # Not typing.get_type_hints: if the default is None, Python 3.10 wraps the annotation in Optional.
        parameters = inspect.signature(view, eval_str=True).parameters
        for name in path_parameters - parameters.keys():
            sentence = "{view} has no parameter for <{name}> of its URL: call both the same"
            raise mistakes.Mistake(say(sentence, view=mistakes.place(view), name=name))
        for name, parameter in parameters.items():
            if name in path_parameters:
                continue
            hint = parameter.annotation
            if hint is parameter.empty:
                sentence = "{view}: `{name}` is not in the URL, so it needs an annotation"
                raise mistakes.Mistake(say(sentence, view=mistakes.place(view), name=name))
            if name in ("body", "form"):
                setattr(self, name, hint)
            elif isinstance(source := _find_source(hint), (Raw, Upload)):
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
        # Clients that are not ours may send more than we know: such a group has the configuration extra="ignore".
        is_open = any(group.model_config.get("extra") == "ignore" for group in self.groups.values())
        self.query = create_model("Query", __config__=ConfigDict(extra="ignore" if is_open else "forbid"), **fields)
        self.headers = create_model("Headers", **headers)
        self.fields, self.header_fields = self.query.model_fields, self.headers.model_fields
        self.lists = _list_fields(self.query)
        self.body_lists: set[str] = _list_fields(self.body) if self.body else set()
        # What a request without a query gives; None if it needs one. Made once, it saves a page of 20 a twentieth.
        self.unasked: dict[str, Any] | None = None
        with suppress(ValidationError):
            self.unasked = self._arguments(self.query.model_validate({}))

    def read(self, path: dict[str, Any]) -> dict[str, Any]:
        """Read and validate the request.

        Aborts with 400 for broken JSON, 415 for a wrong content type, 422 for wrong values.
        """
        if self.body or self.form or self.file:
            refuse_part()
        errors: dict[str, str] = {}
        arguments = {**self._read_query(errors), **self._read_headers(errors)}
        if self.body and isinstance(self.file, Part) and request.mimetype == FORM:
            self._read_form(self.file, path, arguments, errors)
        elif self.body:
            arguments["body"] = _validate(partial(_validate_json, self.body), _read_json(), errors, self.body, "body")
        if self.form:
            arguments["form"] = _validate(self.form.model_validate, request.form.to_dict(), errors, self.form, "form")
        if self.file and not isinstance(self.file, Part):
            _refuse(errors)  # before a large file is read
            file = self.file.read() if isinstance(self.file, Raw) else self.file.read({**path, **arguments})
            arguments[self.file_name] = _validate(self.file_type.validate_python, file, errors, self.query, "body")
        _refuse(errors)
        return arguments

    def _read_form(self, part: Part, path: dict[str, Any], arguments: dict[str, Any], errors: dict[str, str]) -> None:
        _refuse(errors)
        assert self.body
        fields, files = part.read_form({**path, **arguments})
        given = {}
        for name, several in fields.lists():
            field = self.body.model_fields.get(str(name))
            if field and not field.is_required():  # a browser sends an empty part for a field that was left empty
                several = [value for value in several if value]
            if several:
                given[str(name)] = several if name in self.body_lists else several[0]
            if len(several) > 1 and name not in self.body_lists:
                errors[name] = "This field was sent more than once."
            elif any("\ufffd" in value for value in several):  # the parser's mark for bytes that are not UTF-8
                errors[name] = "This is no UTF-8."
        arguments["body"] = _validate(self.body.model_validate, given, errors, self.body, "body")
        errors.update(
            dict.fromkeys(
                files.keys() - {self.file_name}, say("The file of this form is the part `{part}`.", part=self.file_name)
            )
        )
        if not errors and self.file_name in files:
            file = files[self.file_name]
            arguments[self.file_name] = _validate(
                self.file_type.validate_python, file, errors, self.query, self.file_name
            )

    def _read_headers(self, errors: dict[str, str]) -> dict[str, Any]:
        if not self.header_fields:
            return {}
        given = {field.alias: request.headers[field.alias or ""] for field in self.header_fields.values()
                 if field.alias in request.headers}  # fmt: skip
        checked = _validate(self.headers.model_validate, given, errors, self.headers, "headers")
        for name in self.refusals.keys() & errors.keys():
            raise self.refusals[name]()
        for name, field in self.header_fields.items():
            # pydantic also reads `1_000`, `+5` and `5.0`, which for HTTP are no numbers.
            if isinstance(getattr(checked, name, None), int) and not given.get(field.alias, "0").isdecimal():
                errors[str(field.alias)] = "Input should be a number, written in digits alone."
        return {name: getattr(checked, name) for name in self.header_fields} if checked else {}

    def _read_query(self, errors: dict[str, str]) -> dict[str, Any]:
        if not request.query_string and self.unasked is not None:
            return self.unasked
        given: dict[str, Any] = {}
        for key, several in request.args.lists():
            given[key] = several if key in self.lists else several[0]
            if len(several) > 1 and key not in self.lists:
                errors[key] = "This parameter was sent more than once."
        checked = _validate(self.query.model_validate, given, errors, self.query, "query")
        return self._arguments(checked)

    def _arguments(self, checked: BaseModel | None) -> dict[str, Any]:
        """Return the arguments of the view from the checked query, with the groups apart."""
        values = {key: getattr(checked, key) for key in self.fields} if checked else {}
        groups = {
            name: group.model_construct(**{key: values.pop(key) for key in group.model_fields if key in values})
            for name, group in self.groups.items()
        }
        return {**values, **groups}


def _refuse(errors: dict[str, str]) -> None:
    if errors:
        raise Problem(422, "Some of what was sent is not right: see `errors`.", "validation_failed", errors)


def _find_source(hint: Any) -> Raw | Upload | Header | None:
    """Find the source in a parameter's annotation. None means the query string."""
    return next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, (Raw, Upload, Header))), None)


def _list_fields(model: type[BaseModel]) -> set[str]:
    """Return the fields that are lists."""
    return {key for key, field in model.model_fields.items() if get_origin(field.annotation) is list}


def _read_json() -> bytes:
    if request.mimetype != "application/json":
        abort(415, "Send JSON, with the header Content-Type: application/json.")
    data = request.get_data(cache=False)
    if request.content_length is None and len(data) >= (request.max_content_length or 0):
        abort(413)  # a chunked body: werkzeug cuts it at the limit and raises nothing
    return data.removeprefix(codecs.BOM_UTF8)  # RFC 8259 lets a reader ignore it


def _validate_json(model: type[BaseModel], data: bytes) -> BaseModel:
    """Validate JSON. A whole number may be written as 3600.0: for JSON Schema, and so for our document, it is an integer."""
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        if not any(one["type"] == "int_type" and isinstance(one["input"], float) for one in error.errors()):
            raise
    numbers = json.loads(data, parse_float=_read_number)
    return model.model_validate_json(json.dumps(numbers), strict=True)


def _read_number(text: str) -> int | float:
    """Read a number of JSON with a point or an exponent. A whole one is an int, unless it is too large for a float."""
    number = Decimal(text)
    is_whole = math.isfinite(float(text)) and number == number.to_integral_value()
    return int(number) if is_whole else float(text)


def _validate(validate: Any, data: Any, errors: dict[str, str], model: type[BaseModel], where: str) -> Any:
    """Validate data and return it, or None. Put one sentence for each bad field into `errors`."""
    try:
        return validate(data)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False)[:MAX_ERRORS]:
            fault = one.get("ctx", {}).get("error")
            if isinstance(fault, Exception) and not isinstance(fault, InvalidInput):
                raise fault from None
            if one["type"] == "json_invalid":
                _refuse_json(data, one["msg"])
            errors[".".join(map(str, one["loc"]))[:MAX_NAME_LENGTH] or where] = _sentence(one, model)
    return None


def _refuse_json(data: bytes, message: str) -> None:
    """Raise the right error for a body that pydantic cannot read as JSON."""
    if not data:
        raise Problem(400, "The body is empty.", "invalid_json")
    try:
        json.loads(data.decode())  # as text: from bytes it would also accept UTF-16 and a byte order mark
        if "recursion" in message:
            raise RecursionError
    except (ValueError, RecursionError):
        reason = message.removeprefix("Invalid JSON: ")
        raise Problem(400, say("The body is not valid JSON: {reason}.", reason=reason), "invalid_json") from None
    # The JSON is valid but holds a lone surrogate, which no database can store.
    sentence = say("The body holds text that is no Unicode: {reason}.", reason=message)
    raise Problem(422, sentence, "validation_failed", {"body": message})


def _sentence(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(error["loc"][-1])[:MAX_NAME_LENGTH], list(model.model_fields), 1)
        sentence = "There is no such field; did you mean {name}?"
        return say(sentence, name=close[0]) if close else "There is no such field."
    if error["type"] == "missing":
        return "This field is required."
    return finish(clause_of(error))
