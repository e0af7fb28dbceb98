"""The SDK's Client on the reference PDS, with a session of the client library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from atproto_client import Client, models
from atproto_client import exceptions as sdk_errors

from app.atproto.errors import ScopeMissing, SessionEnded
from app.atproto.http.types import Deadline
from app.atproto.records import OAuthSession
from app.atproto.sdk import open_sdk_client
from tests.e2e.laboratory import Laboratory
from tests.e2e.relay import TRACK, Desk, Relay

SOUND = bytes(range(256)) * 40


@pytest.fixture
def relay(lab: Laboratory, tmp_path: Path) -> Iterator[Relay]:
    desk = Desk.at(lab.network, f"sqlite:///{tmp_path}/relay.db")
    with closing(Relay(desk)) as relay:
        yield relay


@pytest.fixture
def session(relay: Relay, lab: Laboratory) -> OAuthSession:
    return relay.sign_in(lab.browser, lab.new_account())


@pytest.fixture
def sdk(relay: Relay, session: OAuthSession) -> Client:
    return open_sdk_client(relay.live(session))


def test_a_track_with_its_sound_is_created_listed_and_deleted(
    sdk: Client, session: OAuthSession
) -> None:
    repo = sdk.com.atproto.repo
    tracks = {"repo": sdk.me.did, "collection": TRACK}

    blob = sdk.upload_blob(SOUND).blob
    record = {"$type": TRACK, "title": "Night train", "sound": blob}
    made = repo.create_record({**tracks, "record": record})
    listed = repo.list_records(tracks)

    assert sdk.me.did == session.did
    assert [one.uri for one in listed.records] == [made.uri]
    assert listed.records[0].value["sound"]["ref"]["$link"] == blob.ref.link
    stored = sdk.com.atproto.sync.get_blob({"did": session.did, "cid": blob.ref.link})
    assert stored == SOUND

    repo.delete_record({**tracks, "rkey": made.uri.rpartition("/")[2]})

    assert repo.list_records(tracks).records == []


def test_a_call_outside_the_grant_says_which_permission_is_missing(
    sdk: Client, session: OAuthSession
) -> None:
    """Requirement 8.11: and the session goes on."""
    with pytest.raises(ScopeMissing) as missing:
        sdk.send_post("Hello")

    assert missing.value.scope == "repo:app.bsky.feed.post?action=create"
    assert "a permission that was not granted: repo:app.bsky.feed.post" in str(
        missing.value
    )
    assert sdk.com.atproto.server.get_session().did == session.did


def test_what_the_host_refuses_is_the_sdks_own_error(
    sdk: Client, session: OAuthSession
) -> None:
    wanted = models.ComAtprotoRepoGetRecord.Params(
        repo=session.did, collection=TRACK, rkey="nowhere"
    )
    with pytest.raises(sdk_errors.BadRequestError) as refused:
        sdk.com.atproto.repo.get_record(wanted)

    assert refused.value.response.content.error == "RecordNotFound"


def test_a_session_that_was_revoked_is_over_for_the_sdk_too(
    relay: Relay, sdk: Client, session: OAuthSession
) -> None:
    relay.client.revoke(session.did, session.session_id, deadline=Deadline.after(10))

    with pytest.raises(SessionEnded):
        sdk.com.atproto.server.get_session()
