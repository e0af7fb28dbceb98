"""What people read when something fails: one table, code -> words (UX.md, rule 9).

Each row says what happened, whose doing it was, and what helps next; nothing finer than
requirement 10.2, never a raw exception or a server's own text. A variant narrows a row
(`host_unreachable` + `resting`); code and status stay those of the plain one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["error", "neutral"]


@dataclass(frozen=True, slots=True)
class Row:
    """A message whose facts are still missing."""

    title: str
    text: str
    step: tuple[str, str]
    tone: Tone = "error"


SIGN_IN = ("Sign in", "/auth/login")
TRY_AGAIN = ("Try again", "/auth/login")
START_AGAIN = ("Start again", "/auth/login")
OTHER_ACCOUNT = ("Use another account", "/auth/login")
CHOOSE_NAME = ("Choose a username", "/auth/signup")
MY_ACCOUNT = ("Go to your account", "/auth/account")

SECONDS = ("{count} second", "{count} seconds")
MINUTES = ("{count} minute", "{count} minutes")

# What stands for an unknown fact; each reads well inside a sentence.
UNKNOWN = {
    "host": "the server of this account",
    "handle": "this handle",
    "did": "this DID",
    "suggestion": "another handle",
    "method": "another kind",
    "username": "that name",
    "platform": "this platform",
    "example": "alice.bsky.social",
    "wait": "a moment",
    "permission": "that this needs",
    "reason": "it could be read in two ways",
}

REFERRED = frozenset(
    {
        "account_disabled",
        "host_unreachable",
        "host_without_oauth",
        "internal",
        "issuer_mismatch",
        "server_invalid",
        "service_unavailable",
    }
)
"""Codes whose page shows the reference: the operator or a host has to mend something.

On all other pages people cannot use it; the log has it for every failure.
"""

MESSAGES: dict[tuple[str, str], Row] = {
    # --- what was typed
    ("invalid_identifier", ""): Row(
        "That is not a handle",
        "A handle looks like an internet address, for example {example}. A link to "
        "your profile works too.",
        TRY_AGAIN,
    ),
    ("invalid_identifier", "email"): Row(
        "Did you mean {suggestion}?",
        "An e-mail address cannot be used here, so we wrote it as a handle. If it is "
        "yours, press Sign in once more; if not, correct it.",
        TRY_AGAIN,
        "neutral",
    ),
    ("invalid_identifier", "address"): Row(
        "That is an e-mail address",
        "Use your handle, for example {example}. It stands in your profile.",
        TRY_AGAIN,
        "neutral",
    ),
    ("invalid_identifier", "fediverse"): Row(
        "That is a fediverse address",
        "Mastodon and other fediverse servers are another network. Use the handle of "
        "your Atmosphere account, for example {example}.",
        TRY_AGAIN,
        "neutral",
    ),
    ("invalid_identifier", "did_method"): Row(
        "This kind of DID cannot sign in here",
        "Accounts with a did:plc or a did:web can; this one is a did:{method}. Use "
        "your handle, or another account.",
        TRY_AGAIN,
    ),
    ("handle_not_found", ""): Row(
        "Nobody has the handle {handle}",
        "Please look for a typing mistake. A handle that is new or was changed just "
        "now may need a few minutes until it is known.",
        TRY_AGAIN,
    ),
    ("account_not_found", ""): Row(
        "This account does not exist",
        "The directory that should know {did} says there is no such account. It may "
        "have been deleted. Try your handle, or another account.",
        TRY_AGAIN,
    ),
    ("handle_mismatch", ""): Row(
        "This handle and its account do not agree",
        "{handle} points to an account that does not go by that name, so we cannot be "
        "sure whose it is. Sign in with the handle that your profile shows now, or "
        "repair this one in your account's settings.",
        TRY_AGAIN,
    ),
    # --- other people's servers
    ("host_unreachable", ""): Row(
        "We cannot reach {host} right now",
        "No answer came from it. That says nothing about your account. Try again in a "
        "moment.",
        TRY_AGAIN,
    ),
    ("host_unreachable", "directory"): Row(
        "The account directory isn't responding",
        "It says where accounts are hosted, and gave no answer. That says nothing "
        "about your account. Try again in {wait}.",
        TRY_AGAIN,
    ),
    ("host_unreachable", "unknown"): Row(
        "We cannot find {host}",
        "No server goes by that name at the moment. Please look for a typing mistake; "
        "if there is none, try again later. That says nothing about your account.",
        TRY_AGAIN,
    ),
    ("host_unreachable", "failing"): Row(
        "{host} is having trouble",
        "It answered, but only to say that it cannot work at the moment. Your account "
        "is not the cause. Try again in {wait}.",
        TRY_AGAIN,
    ),
    ("host_unreachable", "resting"): Row(
        "{host} has stopped answering",
        "It failed several times in a row. Your account is not the cause. Try again "
        "in {wait}.",
        TRY_AGAIN,
    ),
    ("host_unreachable", "refreshing"): Row(
        "{host} is still renewing this session",
        "It takes longer than usual, and the session is kept. Try again in {wait}.",
        TRY_AGAIN,
    ),
    ("host_without_oauth", ""): Row(
        "{host} does not offer this way to sign in",
        "The server works, but it has no OAuth, which we need so that your password "
        "stays with it. Its operator can add it with an update. Until then, use an "
        "account at another host.",
        OTHER_ACCOUNT,
    ),
    ("server_invalid", ""): Row(
        "{host} gave an invalid response",
        "Its answer breaks the rules that keep a sign-in safe, so we stopped. Try "
        "again later. If it happens again, tell the operator of that server, and give "
        "the reference.",
        TRY_AGAIN,
    ),
    ("server_invalid", "client_refused"): Row(
        "{host} does not accept sign-ins from us",
        "Most likely that is our mistake and not yours. We've logged the problem for "
        "{platform}'s team. Try again later.",
        TRY_AGAIN,
    ),
    ("server_invalid", "unfinished"): Row(
        "{host} could not finish the sign-in",
        "It sent you back without a result. Try again; if it happens again, wait a few "
        "minutes.",
        TRY_AGAIN,
    ),
    # --- the way back from the host
    ("access_denied", ""): Row(
        "You are not signed in",
        "{host} told us that the sign-in was cancelled or took too long. Nothing has "
        "changed. If you want to go on, press Sign in.",
        SIGN_IN,
        "neutral",
    ),
    ("login_expired", ""): Row(
        "This sign-in link has expired",
        "Each link works once, for a limited time. Start again: it takes only a "
        "moment.",
        START_AGAIN,
    ),
    ("login_expired", "native"): Row(
        "This sign-in link has expired",
        "Each link works once, for half an hour. Go back to the app and sign in from "
        "there again.",
        MY_ACCOUNT,
        "neutral",
    ),
    ("wrong_verifier", ""): Row(
        "This sign-in belongs to another app",
        "Whoever began it holds a code_verifier, and this request does not have it. "
        "Send the one whose code_challenge began the sign-in.",
        MY_ACCOUNT,
    ),
    ("invalid_grant", ""): Row(
        "This app has to sign in again",
        "Its refresh_token is unknown here, or the session that it belongs to has "
        "ended. Begin a new sign-in.",
        MY_ACCOUNT,
        "neutral",
    ),
    ("invalid_grant", "reused"): Row(
        "This app was signed out for safety",
        "A refresh_token was used again after another one had replaced it, so two "
        "programs hold this session, and it has ended. Begin a new sign-in.",
        MY_ACCOUNT,
    ),
    ("wrong_browser", ""): Row(
        "Continue in the browser where you started",
        "This sign-in began in another browser or app, or cookies are blocked here. "
        "Go back to where you began, or start again here. If this page returns, allow "
        "cookies for this site.",
        ("Start again here", "/auth/login"),
    ),
    ("wrong_browser", "host_cookies"): Row(
        "{host} cannot keep its cookies in this window",
        "That happens in the small browser inside some apps. Open this page in your "
        "normal browser and sign in there.",
        START_AGAIN,
    ),
    ("issuer_mismatch", ""): Row(
        "The answer came from the wrong server",
        "The server that answered is not the one that speaks for this account, so we "
        "stopped. If your account has just moved to another host, start again.",
        START_AGAIN,
    ),
    ("account_mismatch", ""): Row(
        "You approved with another account",
        "You asked to sign in as {handle}, but another account was chosen at {host}, "
        "so we signed in neither. Start again with the account that you want.",
        START_AGAIN,
    ),
    ("account_mismatch", "upgrade"): Row(
        "You approved with another account",
        "At {host} you chose another account than the one you are signed in with here, "
        "so nothing has changed. Try again with the same account.",
        START_AGAIN,
    ),
    ("cross_site", ""): Row(
        "That did not come from our own page",
        "Another site sent this request in your name, so we did nothing with it. If "
        "you meant to do it, do it from here.",
        SIGN_IN,
    ),
    ("invalid_return_to", ""): Row(
        "We cannot send you to that address",
        "The link you followed wants you to end up outside {platform}. You can sign "
        "in without it; then open the page that you wanted yourself.",
        ("Sign in without it", "/auth/login"),
    ),
    ("invalid_scope", ""): Row(
        "We do not ask for that permission",
        "The page that sent you here wants more than {platform} allows it to ask for, "
        "so your host was not asked. You can go on without it.",
        ("Go on without it", "/auth/login"),
    ),
    # --- usernames
    ("username_taken", ""): Row(
        "{username} is taken",
        "This name is taken, or one that looks the same. Please choose another.",
        CHOOSE_NAME,
    ),
    ("username_invalid", ""): Row(
        "That name does not work",
        "Use 3 to 32 letters from a to z, digits and single hyphens, with no hyphen "
        "at the start or the end.",
        CHOOSE_NAME,
    ),
    ("username_reserved", ""): Row(
        "{username} is reserved",
        "This name, or one that looks the same, is kept for {platform} itself. Please "
        "choose another.",
        CHOOSE_NAME,
    ),
    # --- who may do what
    ("not_signed_in", ""): Row(
        "You are not signed in",
        "Sign in to see this page.",
        SIGN_IN,
        "neutral",
    ),
    ("not_signed_in", "service_key"): Row(
        "This is for services",
        "It takes a service key of {platform}, in the Authorization header.",
        SIGN_IN,
    ),
    ("account_disabled", ""): Row(
        "This account is closed here",
        "You have shown who you are, but the people who run {platform} have closed "
        "this account. Ask them if you think that is a mistake, and give the "
        "reference.",
        OTHER_ACCOUNT,
    ),
    ("account_disabled", "native"): Row(
        "This account is closed here",
        "You have shown who you are, but the people who run {platform} have closed "
        "this account, so the app was not signed in. Ask them if you think that is a "
        "mistake, and give the reference.",
        MY_ACCOUNT,
    ),
    ("not_allowed_here", ""): Row(
        "You cannot open this page",
        "You are signed in as {username}, and this account may not open it. Use "
        "another account, or ask the people who run {platform} to let you in.",
        OTHER_ACCOUNT,
        "neutral",
    ),
    ("unknown_client", ""): Row(
        "This app is not known here",
        "The link that brought you here names an app that {platform} does not know, or "
        "no longer lets in. Nothing was sent to it. Go back to the app and tell the "
        "people who run it.",
        MY_ACCOUNT,
    ),
    ("invalid_redirect_uri", ""): Row(
        "This app asked for the wrong way back",
        "The link that brought you here would send you to an address that was not "
        "agreed with this app, so we stopped. Go back to the app and tell the people "
        "who run it.",
        MY_ACCOUNT,
    ),
    ("request_expired", ""): Row(
        "This sign-in has ended",
        "You have answered it already, or it waited too long. Go back to the app and "
        "sign in there once more.",
        MY_ACCOUNT,
        "neutral",
    ),
    ("not_a_member", "native"): Row(
        "This account cannot join {platform}",
        "You have shown who you are, but not everyone can sign up here, so the app was "
        "not signed in. If you were invited, open the link of the invitation first, "
        "and sign in from the app again.",
        MY_ACCOUNT,
        "neutral",
    ),
    ("not_a_member", ""): Row(
        "This account cannot join {platform}",
        "You have shown who you are, but not everyone can sign up here. Nothing was "
        "stored. If you were invited, open the link of the invitation first. If you "
        "have another account that belongs here, use that one.",
        OTHER_ACCOUNT,
        "neutral",
    ),
    ("not_a_member", "invitation"): Row(
        "This invitation has ended",
        "It has been used, was taken back, or is too old. Ask the person who sent it "
        "for a new one. If you have an account here already, sign in as always.",
        SIGN_IN,
        "neutral",
    ),
    ("reconnect", ""): Row(
        "Please sign in again",
        "You are known here, but your host has ended the session that we had with it. "
        "Nothing of yours is lost. Sign in once more to go on.",
        SIGN_IN,
        "neutral",
    ),
    ("permission_missing", ""): Row(
        "This needs a permission",
        "{host} wants the permission {permission}, which was not given when this "
        "session began. Ask for it, and try again.",
        SIGN_IN,
        "neutral",
    ),
    ("account_unavailable", ""): Row(
        "This account is not available at its host",
        "{host} says that the account is deactivated or taken down. Its owner can "
        "find out more there.",
        MY_ACCOUNT,
    ),
    ("call_not_allowed", ""): Row(
        "This call is not allowed here",
        "The people who run {platform} decide which calls services may make, and this "
        "is none of them: {reason}.",
        MY_ACCOUNT,
    ),
    ("call_not_allowed", "service_key"): Row(
        "This service key does not open that",
        "The people who run {platform} made it for something else.",
        MY_ACCOUNT,
    ),
    ("cursor_expired", ""): Row(
        "Events after this cursor are gone",
        "Read the accounts that your service keeps again, then begin without after, "
        "or with after=latest.",
        START_AGAIN,
    ),
    ("too_many_requests", "polls"): Row(
        "Too many polls of this service key wait",
        "Ask again in {wait}, or let your service wait with one poll alone.",
        START_AGAIN,
    ),
    ("too_many_requests", "authorize"): Row(
        "Please wait {wait}",
        "Very many sign-ins to apps came from your network, so we have slowed down. "
        "Go back to the app and try again in {wait}.",
        MY_ACCOUNT,
    ),
    ("too_many_requests", "call"): Row(
        "Please wait {wait}",
        "Very many calls were made in this session, so we have slowed down. Try again "
        "in {wait}.",
        MY_ACCOUNT,
    ),
    ("too_many_requests", "calls"): Row(
        "Please wait {wait}",
        "Too many calls wait for an answer at the same time. Try again in {wait}.",
        MY_ACCOUNT,
    ),
    ("too_many_requests", "token"): Row(
        "Please wait {wait}",
        "Too many calls came from your network with nobody signed in. Try again in "
        "{wait}.",
        SIGN_IN,
    ),
    ("too_many_requests", "pds"): Row(
        "Please wait {wait}",
        "The host of this account is limiting requests. Try again in {wait}.",
        MY_ACCOUNT,
    ),
    ("too_many_requests", ""): Row(
        "Please wait {wait}",
        "Many sign-ins came from your network in a short time, so we have slowed "
        "down. Nothing is wrong with your account.",
        TRY_AGAIN,
    ),
    ("too_many_requests", "host"): Row(
        "Please wait {wait}",
        "Many people are signing in at {host} just now, so we have slowed down. "
        "Nothing is wrong with your account.",
        TRY_AGAIN,
    ),
    ("too_many_requests", "service"): Row(
        "Please wait {wait}",
        "Very many people are signing in just now, so we have slowed down. Nothing is "
        "wrong with your account.",
        TRY_AGAIN,
    ),
    ("too_many_requests", "streams"): Row(
        "Please wait {wait}",
        "Many apps on your network are waiting for a sign-in just now, so we take no "
        "more of them. Nothing is wrong with your account.",
        TRY_AGAIN,
    ),
    ("too_many_requests", "typing"): Row(
        "Please wait {wait}",
        "Many names were looked up from your network in a short time, so we have "
        "slowed down. Nothing is wrong with your account.",
        MY_ACCOUNT,
    ),
    # --- the rest of HTTP
    ("invalid_request", "json"): Row(
        "We could not read that request",
        "Send one object as application/json; what stands in it is text.",
        START_AGAIN,
    ),
    ("invalid_request", "app_name"): Row(
        "This app has no name that we can show",
        "An app_name is 1 to 64 characters, each of which can be seen.",
        START_AGAIN,
    ),
    ("invalid_request", "code_challenge"): Row(
        "That is no code challenge",
        "A code_challenge is the SHA-256 of a verifier in base64url without padding: "
        "43 characters (S256; there is no other method).",
        START_AGAIN,
    ),
    ("invalid_request", ""): Row(
        "We could not read that request",
        "A part of it is missing, repeated or damaged. Start again from the sign-in "
        "page.",
        START_AGAIN,
    ),
    ("invalid_request", "cursor"): Row(
        "That is no cursor of this feed",
        "Ask with the next of an earlier answer, or without a cursor.",
        START_AGAIN,
    ),
    ("invalid_request", "not_confirmed"): Row(
        "That is not your username",
        "Nothing was deleted. To delete your account, type your username exactly.",
        MY_ACCOUNT,
    ),
    ("invalid_request", "too_soon"): Row(
        "Your username was changed a short time ago",
        "Nothing has changed now. Your account page says when you can change it again.",
        MY_ACCOUNT,
    ),
    ("invalid_request", "no_changes"): Row(
        "Usernames cannot be changed here",
        "If yours has to change, ask the people who run {platform}.",
        MY_ACCOUNT,
    ),
    ("invalid_request", "call"): Row(
        "We could not read that call",
        "It was not passed on: {reason}.",
        MY_ACCOUNT,
    ),
    ("not_found", ""): Row(
        "There is nothing at this address",
        "The link may be old or mistyped.",
        MY_ACCOUNT,
    ),
    ("method_not_allowed", ""): Row(
        "This address cannot be used that way",
        "Start again from the sign-in page.",
        START_AGAIN,
    ),
    ("too_large", ""): Row(
        "That is more than we can take",
        "Something in the form is far too long. Shorten it and try again.",
        TRY_AGAIN,
    ),
    ("too_large", "call"): Row(
        "That is more than we can take",
        "The body of this call is longer than the people who run {platform} allow.",
        MY_ACCOUNT,
    ),
    ("service_unavailable", ""): Row(
        "{platform} is busy",
        "Too many people are signing in at this moment. That says nothing about your "
        "account. Try again in {wait}.",
        TRY_AGAIN,
    ),
    ("service_unavailable", "call"): Row(
        "{platform} is busy",
        "Too many large files are on their way at this moment. Try again in {wait}.",
        TRY_AGAIN,
    ),
    ("service_unavailable", "storage"): Row(
        "{platform} has a problem on its side",
        "It cannot read or store anything at this moment. That says nothing about your "
        "account. Try again in {wait}.",
        TRY_AGAIN,
    ),
    ("internal", ""): Row(
        "Something broke on our side",
        "This is our fault, not yours. Try again in a moment. If it happens again, "
        "tell the people who run {platform}, and give the reference.",
        TRY_AGAIN,
    ),
}
