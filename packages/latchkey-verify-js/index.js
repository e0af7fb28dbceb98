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
    const { audience = issuer, algorithm = "RS256", cookie = "platform_token" } = options;
    const { fetch = fetchText, clock = Date.now } = options;
    if (!Object.hasOwn(KEY_TYPES, algorithm)) {
      throw new TypeError(`the algorithm is one of ${Object.keys(KEY_TYPES).join(", ")}`);
    }
    this.issuer = checkedOrigin(issuer);
    this.#audience = audience;
    this.#cookie = cookie;
    const keys = new Document(() => loadKeys(fetch, issuer, algorithm), { ...KEYS, clock });
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
    this.#ended = new Document((before) => loadRevocations(feed, before), { ...FEED, clock });
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
    const bearer = /^\s*bearer\s+(.*?)\s*$/is.exec(authorization ?? "");
    if (bearer) return this.verify(bearer[1]);
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
    if (typeof value !== "string") throw new TokenInvalid(`${name}: missing`);
  }
  if (handle !== null && typeof handle !== "string") throw new TokenInvalid("handle: not a text");
  return { did: sub, username, handle, sid, issuedAt: iat, expiresAt: exp };
}

function cookiesOf(header, wanted) {
  return header
    .split(";")
    .map((pair) => [pair.split("=", 1)[0].trim(), pair.slice(pair.indexOf("=") + 1).trim()])
    .filter(([name]) => name === wanted)
    .slice(0, MAX_COOKIES)
    .map(([, value]) => value.replace(/^"|"$/g, ""));
}
