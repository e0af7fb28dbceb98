"""The command line: calls to the account's host, and what is sent and shown."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.cli.failures import UsageError
from app.atproto.cli.payload import Payload, build_payload
from tests.atproto.terminal import Terminal
from tests.fakes import faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.world import World

TRACK = {"$type": "app.relay.track", "title": "Night train"}
CREATE = "com.atproto.repo.createRecord"
UPLOAD = "com.atproto.repo.uploadBlob"
SESSION = "com.atproto.server.getSession"
HOST = "https://pds.skyhost.social/xrpc"


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Terminal:
    """Alice's, where she may write tracks."""
    terminal = Terminal(world, tmp_path)
    terminal.signs_in(world.alice.handle, "--scope", "atproto repo:app.relay.track")
    world.network.forget()
    return terminal


def payload(*words: str, **options: Any) -> Payload:
    given = {"method": None, "given": None, "content_type": None}
    return build_payload(words, read_input=lambda: b"input", **{**given, **options})


# --- calls --------------------------------------------------------------------------


def test_a_query_is_shown_for_people(terminal: Terminal, world: World) -> None:
    ended = terminal.runs("call", SESSION)

    assert json.loads(ended.text)["did"] == world.alice.did
    assert len(ended.text.splitlines()) > 1


def test_a_query_is_one_object_for_scripts(terminal: Terminal, world: World) -> None:
    assert terminal.runs("call", SESSION, "--json").json["did"] == world.alice.did


def test_the_words_of_a_query_are_its_parameters(
    terminal: Terminal, world: World
) -> None:
    terminal.runs("call", SESSION, "--json", "limit=5", "cursor=a b&c", "limit=6")

    [sent] = world.network.sent(method="GET", path=f"/xrpc/{SESSION}")[-1:]
    assert sent.url.endswith("?limit=5&cursor=a+b%26c&limit=6")


def test_a_procedure_is_written_in_words(terminal: Terminal, world: World) -> None:
    ended = terminal.runs(
        "call",
        CREATE,
        "-X",
        "POST",
        f"repo={world.alice.did}",
        "collection=app.relay.track",
        f"record:={json.dumps(TRACK)}",
        "--json",
    )

    assert ended.code == 0
    assert world.skyhost.pds.records == {ended.json["uri"]: TRACK}


@pytest.mark.parametrize("form", ["literal", "file", "input"])
def test_a_procedure_takes_json(
    terminal: Terminal, world: World, tmp_path: Path, form: str
) -> None:
    body = json.dumps({"collection": "app.relay.track", "record": TRACK})
    (tmp_path / "body.json").write_text(body)
    terminal.input = body.encode()
    given = {"literal": body, "file": f"@{tmp_path / 'body.json'}", "input": "@-"}

    ended = terminal.runs("call", CREATE, "--data", given[form])

    assert ended.code == 0, ended.noise
    assert list(world.skyhost.pds.records.values()) == [TRACK]


def test_a_file_is_sent_as_it_is(
    terminal: Terminal, world: World, tmp_path: Path
) -> None:
    picture = tmp_path / "cover.png"
    picture.write_bytes(bytes(range(256)) * 40)

    ended = terminal.runs("call", UPLOAD, "--data", f"@{picture}", "--json")

    blob = ended.json["blob"]
    assert (blob["mimeType"], blob["size"]) == ("image/png", 10_240)


def test_a_header_is_passed_on(terminal: Terminal, world: World) -> None:
    proxy = "did:web:api.bsky.app#bsky_appview"

    terminal.runs("call", SESSION, "-H", f"atproto-proxy: {proxy}")

    [sent] = world.network.sent(path=f"/xrpc/{SESSION}")[-1:]
    assert sent.headers["atproto-proxy"] == proxy


@pytest.mark.parametrize("header", ["Authorization: x", "no header", "Host:x"])
def test_a_header_that_is_ours_is_refused(terminal: Terminal, header: str) -> None:
    assert terminal.runs("call", SESSION, "-H", header).code == 2


# --- answers ------------------------------------------------------------------------


def says(world: World, status: int, body: bytes, content_type: str) -> None:
    answer = faults.Says(status, body, {"Content-Type": content_type})
    world.network.lay(f"{HOST}/{SESSION}", answer)


def test_bytes_are_written_as_they_come(terminal: Terminal, world: World) -> None:
    says(world, 200, b"\x89PNG\0\xff", "image/png")

    assert terminal.runs("call", SESSION).output == b"\x89PNG\0\xff"


def test_bytes_are_not_written_on_a_terminal(terminal: Terminal, world: World) -> None:
    says(world, 200, b"\x89PNG\x1b[2J", "image/png")
    terminal.is_terminal = True

    ended = terminal.runs("call", SESSION)

    assert (ended.code, ended.output) == (2, b"")
    assert "--output" in ended.noise


def test_bytes_are_base64_in_json(terminal: Terminal, world: World) -> None:
    says(world, 200, b"\xff\0", "image/png")

    assert terminal.runs("call", SESSION, "--json").json == {
        "content_type": "image/png",
        "size": 2,
        "base64": b64encode(b"\xff\0").decode(),
    }


def test_an_answer_goes_into_a_file(
    terminal: Terminal, world: World, tmp_path: Path
) -> None:
    says(world, 200, b"\xff\0", "image/png")
    file = tmp_path / "answer"

    ended = terminal.runs("call", SESSION, "--json", "--output", str(file))

    assert file.read_bytes() == b"\xff\0"
    assert ended.json["file"] == str(file)


def test_an_answer_is_shown_raw_when_asked(terminal: Terminal, world: World) -> None:
    says(world, 200, b'{"a":  1}', "application/json")

    assert terminal.runs("call", SESSION, "--raw").output == b'{"a":  1}'
    assert terminal.runs("call", SESSION, "--raw", "--json").code == 2


def test_an_empty_answer_is_an_answer(terminal: Terminal, world: World) -> None:
    says(world, 200, b"", "text/plain")

    assert terminal.runs("call", SESSION).text == "Done.\n"
    assert terminal.runs("call", SESSION, "--json").json == {}


def test_control_characters_of_a_host_are_escaped(
    terminal: Terminal, world: World
) -> None:
    evil = "\x1b[2J\u009b31m\u202e\r"
    says(world, 200, json.dumps({"a": evil}).encode(), "application/json")

    ended = terminal.runs("call", SESSION)

    assert json.loads(ended.text) == {"a": evil}
    assert not set("\x1b\u009b\u202e\r") & set(ended.text)


def test_the_error_of_a_host_is_told(terminal: Terminal, world: World) -> None:
    error = b'{"error": "InvalidRequest", "message": "Bad \\u001b[2Jcursor"}'
    says(world, 400, error, "application/json")

    ended = terminal.runs("call", SESSION, "--json")

    assert ended.code == 10
    assert ended.json["error"] == "InvalidRequest"
    assert ended.json["status"] == 400
    assert "Bad ?[2Jcursor" in ended.json["error_description"]


def test_an_error_without_words_is_told(terminal: Terminal, world: World) -> None:
    says(world, 500, b"<html>", "text/html")

    ended = terminal.runs("call", SESSION, "--json")

    assert ended.code == 10
    assert ended.json["error"] == "call_refused"
    assert ended.json["status"] == 500


def test_a_missing_permission_is_named_with_the_way_to_get_it(
    terminal: Terminal,
) -> None:
    body = json.dumps({"collection": "app.relay.playlist", "record": {}})

    ended = terminal.runs("call", CREATE, "--data", body, "--json")

    assert ended.code == 6
    assert ended.json["error"] == "scope_missing"
    assert ended.json["scope"] == "repo:app.relay.playlist?action=create"
    assert (
        "--scope 'atproto repo:app.relay.track repo:app.relay.playlist?action=create'"
        in ended.json["error_description"]
    )


def test_call_of_invalid_nsid_is_a_usage_error(
    terminal: Terminal, world: World
) -> None:
    for name in ("getSession", "../../oauth/token", "com.atproto.server.get session"):
        assert terminal.runs("call", name).code == 2
    assert not world.network.log


# --- what is sent -------------------------------------------------------------------


def test_words_are_text_in_a_query() -> None:
    assert payload("a=1", "b=true") == Payload(
        method="GET", query=(("a", "1"), ("b", "true"))
    )


def test_body_words_become_json_values() -> None:
    sent = payload(
        "a=1",
        "b=true",
        "c=null",
        "d=false",
        "e=-7",
        "f=007",
        "g=1.5",
        "h=",
        "i=x=y",
        'j:="1"',
        "k:=[1,2]",
        method="POST",
    )

    assert sent.content_type == "application/json"
    assert json.loads(sent.body or b"") == {
        "a": 1,
        "b": True,
        "c": None,
        "d": False,
        "e": -7,
        "f": "007",
        "g": "1.5",
        "h": "",
        "i": "x=y",
        "j": "1",
        "k": [1, 2],
    }


def test_a_procedure_without_words_has_no_body() -> None:
    assert payload(method="POST") == Payload(method="POST")


def test_words_beside_data_are_the_query() -> None:
    assert payload("a=1", given="{}") == Payload(
        method="POST",
        query=(("a", "1"),),
        body=b"{}",
        content_type="application/json",
    )


def test_input_that_is_no_json_is_bytes() -> None:
    sent = payload(given="@-")

    assert (sent.body, sent.content_type) == (b"input", "application/octet-stream")


def test_the_type_of_the_body_can_be_said() -> None:
    assert payload(given="@-", content_type="video/mp4").content_type == "video/mp4"


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["word"], {}),
        (["=value"], {}),
        (["a:=1"], {}),
        (["a:={"], {"method": "POST"}),
        (["a=1", "a=2"], {"method": "POST"}),
        ([], {"given": "not json"}),
        ([], {"given": "@/nowhere/at/all"}),
        ([], {"given": "{}", "method": "GET"}),
    ],
)
def test_contradicting_options_are_usage_errors(
    words: list[str], options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        payload(*words, **options)
