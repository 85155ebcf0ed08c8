"""`flask user ...`: create and change users on the server itself. The first admin is made here."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click
import orjson
from flask.cli import AppGroup

from config import ConfigError, Settings
from current import db
from domain.accounts import NewPassword, keep_an_admin
from domain.lookalikes import shapes
from domain.names import ANYBODY, Email, Username
from language import join, say, whole
from ops import people
from ops.command import command, validate
from pool import Connection
from web import audit, limits
from web.errors import Problem, explain
from web.guards import ROLES
from web.passwords import hash_password
from web.text import fold

group = AppGroup("user", help="People: made, given a role or another password. The first admin is made here.")
MAX_FAULTS = 20  # that are told at once
generated = click.option("--generate", is_flag=True, help="Make a random password and print it.")


@command(
    group,
    "create",
    click.argument("name"),
    click.option("--admin", is_flag=True, help="Make an admin of them."),
    click.option("--email", metavar="ADDRESS", help="Their e-mail address."),
    generated,
)
def create(settings: Settings, name: str, admin: bool, email: str | None, generate: bool) -> None:
    """Create a user. The command asks for the password, or reads it from the first line of what is piped in."""
    username = validate(Username, name)
    address = email if email is None else validate(Email, email)
    password = read_password(generate)
    password_hash = hash_password(password)

    run_transaction(lambda: add_user(username, address, password_hash, "admin" if admin else "user"))
    click.echo(f"{username} is there{', as an admin' if admin else ''}.")
    show_password(password, generate)


@command(
    group,
    "import",
    click.argument("file", type=click.File("rb")),
    click.option(
        "--passwords",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Write the new passwords into this new file; else they are printed.",
    ),
)
def import_people(settings: Settings, file: BinaryIO, passwords: Path | None) -> None:
    """Create the people of a CSV file, all or none. Its first line names the columns: name, and email, password, role.

    Who has no password in the file gets a random one.
    """
    found, faults = people.read(file.read())
    refuse(faults)
    made = [person for person in found if person.has_new_password]
    if passwords:
        people.write_passwords(made, passwords)  # first: if this fails, no account is made
    try:
        refuse(store(found))
    except BaseException:
        if passwords:
            passwords.unlink()
        raise
    click.echo(f"{len(found)} people are there, {len(made)} of them with a new password.")
    for person in made if not passwords else ():
        click.echo(f"{person.name} {person.password}")


def refuse(faults: list[people.Fault]) -> None:
    """Raise ConfigError with all faults, if there are any."""
    if faults:
        raise ConfigError(join([say("Nothing was stored."), *(fault.message for fault in faults)], "\n"))


def store(found: list[people.Person]) -> list[people.Fault]:
    """Create people in one transaction. Return what is wrong with them; then nothing is stored."""
    hashes = {person.line: hash_password(person.password) for person in found}
    faults: list[people.Fault] = []

    def work() -> None:
        wrong = {fault.line for fault in faults}
        for person in found:
            if person.line not in wrong:
                add_person(person, hashes[person.line])
        if faults:
            raise faults[0]  # the others are right, and nobody is stored

    while len(faults) < MAX_FAULTS:
        try:
            db.transaction(work)
            break
        except people.Fault as fault:
            if fault in faults:
                break
            faults.append(fault)
    return faults


def add_person(person: people.Person, password_hash: str) -> None:
    """Create a person of a file, in the caller's transaction. Raises Fault if the database refuses it."""
    try:
        add_user(person.name, person.email, password_hash, person.role)
    except Connection.Error as error:
        sentence = say("{name}: {sentence}", name=person.name, sentence=whole(broken_rule(error)))
        raise people.Fault(person.line, sentence) from None


def add_user(username: str, email: str | None, password_hash: str, role: str) -> None:
    """Create a user, in the caller's transaction."""
    names = {"username": username, "username_key": fold(username), **shapes(username)}
    user_id = db.insert("users.create", **names, email=email, password_hash=password_hash)
    audit.record("register", None, user_id)
    if role != "user":
        give_role(user_id, role)


@command(group, "password", click.argument("name"), generated)
def change_password(settings: Settings, name: str, generate: bool) -> None:
    """Give a user a new password. Their sessions end, and mailed links stop working."""
    password = read_password(generate)
    new_hash = hash_password(password)

    def work() -> None:
        user_id = find_user_id(name)
        user = db.fetch_one("users.get_password", account=fold(name)) or {}
        if not db.execute("users.set_password", user_id=user_id, old_hash=user["password_hash"], new_hash=new_hash):
            raise ConfigError("It has just been changed elsewhere: try again.")
        db.execute("sessions.delete_for_user", user_id=user_id)
        limits.forget_guesses(fold(name))
        db.execute("email_tokens.delete_for_user", user_id=user_id, purpose="reset")
        audit.record("password.reset", None, user_id)

    run_transaction(work)
    click.echo(f"{name} has a new password, and no open session.")
    show_password(password, generate)


@command(group, "rename", click.argument("user_id", type=int), click.argument("name"))
def rename(settings: Settings, user_id: int, name: str) -> None:
    """Give the user of this id another name, by which they log in from then on."""
    username = validate(Username, name)
    values = {"username": username, "username_key": fold(name), **shapes(username)}

    def work() -> None:
        if not db.execute("users.set_username", user_id=user_id, **values):
            raise ConfigError(say("There is no user {user_id}.", user_id=user_id))
        audit.record("user.rename", None, user_id, orjson.dumps({"username": username}))

    run_transaction(work)
    click.echo(f"User {user_id} is called {username}.")


@command(group, "role", click.argument("name"), click.argument("role", type=click.Choice(ROLES)))
def set_role(settings: Settings, name: str, role: str) -> None:
    """Give a user the role user, moderator or admin. The last admin cannot lose the role."""

    def work() -> None:
        user_id = find_user_id(name)
        if role != "admin":
            keep_an_admin(user_id)
        give_role(user_id, role)

    run_transaction(work)
    click.echo(f"{name} has the role {role}.")


def run_transaction(work: Callable[[], None]) -> None:
    """Run work() as one transaction. If it breaks a rule, raise ConfigError with the API's sentence."""
    try:
        db.transaction(work)
    except (Problem, Connection.Error) as error:
        raise ConfigError(broken_rule(error)) from None


def broken_rule(error: Exception) -> str:
    """Return the API's sentence for a broken rule. Raises the error again if it is none, such as a database that is away."""
    problem = explain(error)
    if not problem.code or problem.code >= 500:
        raise error
    return problem.description or ""


def find_user_id(name: str) -> int:
    """Find the id of a user by name. Raises ConfigError."""
    user_id: int | None = db.fetch_value("users.get_id", username_key=fold(name), shown=ANYBODY)
    if not user_id:
        raise ConfigError(say("There is nobody called {name}.", name=name))
    return user_id


def give_role(user_id: int | None, role: str) -> None:
    """Set a role, and record it in the audit log as the API does."""
    db.execute("users.set_role", user_id=user_id, role=role)
    audit.record("user.role", None, user_id, orjson.dumps({"role": role}))


def read_password(generate: bool) -> str:
    """Return a random password, or ask for one twice without showing it, or read the first line of what is piped in."""
    if generate:
        return secrets.token_urlsafe(12)
    if sys.stdin.isatty():
        typed = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        typed = sys.stdin.buffer.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")
    return str(validate(NewPassword, typed, "The password"))


def show_password(password: str, generate: bool) -> None:
    """Print a generated password, as nobody knows it yet."""
    if generate:
        click.echo(f"The password is {password}")
