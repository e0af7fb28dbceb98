// Verify a platform token (JWT) of a Latchkey sign-in service, offline.

import { Document } from "./document.js";
import { NotSignedIn, SessionEnded, TokenInvalid, TokenMissing } from "./errors.js";
import { checkedOrigin, fetchText, MAX_BYTES } from "./fetching.js";
import { KEY_TYPES, loadKeys } from "./keys.js";
import { TYP as FEED_TYP, loadRevocations, NOTHING } from "./revocations.js";
import { Opener } from "./token.js";

export * from "./errors.js";

/** Characters; a longer text is refused before it is parsed. */
const MAX_TOKEN = 8_192;

/** Cookies of the name that are tried; a browser may send several. */
const MAX_COOKIES = 8;

// Milliseconds: older ones are refreshed in the background, much older ones at once.
const KEYS = { fresh: 300_000, stale: 3_600_000 };
const FEED = { fresh: 10_000, stale: 30_000 };

export class Verifier {
  #audience;
  #cookie;
  #opener;
  #ended;

  constructor(issuer, options = {}) {
    const { audience, algorithm = "RS256", cookie = "platform_token" } = options;
    const { fetch = fetchText, clock = Date.now } = options;
    const { monotonic = () => performance.now() } = options;
    if (!Object.hasOwn(KEY_TYPES, algorithm)) {
      throw new TypeError(`the algorithm is one of ${Object.keys(KEY_TYPES).join(", ")}`);
    }
    this.issuer = checkedOrigin(issuer);
    this.#audience = audience || issuer;
    this.#cookie = cookie;
    const keys = new Document(() => loadKeys(fetch, issuer, algorithm), {
      ...KEYS,
      clock: monotonic,
    });
    this.#opener = new Opener({ issuer, algorithm, keys, clock });
    const feed = {
      now: () => Math.floor(clock() / 1000),
      page: async (cursor) => {
        const since = cursor ? `?since=${encodeURIComponent(cursor)}` : "";
        const text = await fetch(`${issuer}/auth/revocations${since}`);
        const form = { typ: FEED_TYP, longest: MAX_BYTES };
        return (await this.#opener.open(text.trim(), form)).claims;
      },
    };
    this.#ended = new Document((before) => loadRevocations(feed, before), {
      ...FEED,
      clock: monotonic,
    });
  }

  async verify(token) {
    const { kid, claims } = await this.#opener.open(token, { typ: "JWT", longest: MAX_TOKEN });
    if (claims.aud !== this.#audience) throw new TokenInvalid("aud: another audience");
    const person = personOf(claims);
    const ended = (await this.#ended.get()) ?? NOTHING;
    // It was dropped, or published after the feed was read.
    if (ended.keys.size > 0 && !ended.keys.has(kid)) await this.#opener.requireKey(kid);
    if (ended.sessions.has(person.sid)) throw new SessionEnded("sid: the session has ended");
    return person;
  }

  async authenticate({ authorization = "", cookie = "" } = {}) {
    const [scheme, ...rest] = trimmed(authorization ?? "").split(" ");
    if (scheme.toLowerCase() === "bearer") return this.verify(trimmed(rest.join(" ")));
    let refusal = new TokenMissing("the request has no token");
    for (const token of cookiesOf(cookie ?? "", this.#cookie)) {
      try {
        return await this.verify(token);
      } catch (error) {
        if (!(error instanceof NotSignedIn)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  loginUrl(returnTo) {
    return `${this.issuer}/auth/login?${new URLSearchParams({ return_to: returnTo })}`;
  }
}

function personOf({ sub, username, handle = null, sid, iat, exp }) {
  for (const [name, value] of Object.entries({ sub, sid, username })) {
    if (typeof value !== "string" || !value) throw new TokenInvalid(`${name}: missing`);
  }
  if (handle !== null && typeof handle !== "string") throw new TokenInvalid("handle: not a text");
  return { did: sub, username, handle, sid, issuedAt: iat, expiresAt: exp };
}

/** Returns the values of the cookie, at most `MAX_COOKIES`. */
function cookiesOf(header, wanted) {
  return header
    .split(";")
    .map((pair) => pair.split("="))
    .filter(([name]) => trimmed(name) === wanted)
    .slice(0, MAX_COOKIES)
    .map(([, ...value]) => unquoted(trimmed(value.join("="))));
}

const unquoted = (value) => (/^".*"$/.test(value) ? value.slice(1, -1) : value);

/** Without white space of HTTP at both ends (RFC 9110 section 5.6.3), in linear time. */
function trimmed(text) {
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text[start])) start++;
  while (start < end && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

const isSpace = (character) => character === " " || character === "\t";
