// Open a token (JWT): its form, header, signature, issuer and times.

import { base64url, compactVerify } from "jose";

import { KeysUnavailable, TokenExpired, TokenInvalid } from "./errors.js";

/** Seconds by which the clocks of the service and of this machine may differ. */
export const LEEWAY = 30;

/** Milliseconds between two fetches that unknown key ids may cause. */
const KEYS_REFETCH = 10_000;

// Each names a key that the sender chose (RFC 8725 section 3.10), demands an extension that
// we do not know (RFC 7515 section 4.1.11), or changes what is signed (RFC 7797).
const REFUSED_HEADERS = ["jku", "jwk", "x5u", "x5c", "crit", "b64"];

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]*)$/;

export class Opener {
  #issuer;
  #algorithm;
  #keys;
  #clock;

  /** Opens the JWTs that one service signs with one algorithm; `clock` gives milliseconds. */
  constructor({ issuer, algorithm, keys, clock }) {
    this.#issuer = issuer;
    this.#algorithm = algorithm;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Returns { kid, claims } of a JWT that the service signed for this use. */
  async open(token, { typ, longest }) {
    const { header, payload } = decoded(token, longest);
    const kid = this.#checkedKid(header, typ);
    const key = await this.#key(kid);
    try {
      await compactVerify(token, key, { algorithms: [this.#algorithm] });
    } catch (error) {
      throw new TokenInvalid("signature: not of the service's key", { cause: error });
    }
    const claims = parsedObject(payload, "claims");
    this.#check(claims);
    return { kid, claims };
  }

  /** Returns a key of the JWKS as it is now, at most ten seconds old. */
  async requireKey(kid) {
    await this.#keys.refresh(KEYS_REFETCH);
    const key = (await this.#keys.get())?.get(kid);
    if (!key) throw new TokenInvalid("kid: not one of the service's keys");
    return key;
  }

  #checkedKid(header, typ) {
    if (header.alg !== this.#algorithm) {
      throw new TokenInvalid("alg: another algorithm than the service's");
    }
    if (header.typ !== typ) throw new TokenInvalid("typ: signed for another purpose");
    for (const name of REFUSED_HEADERS) {
      if (Object.hasOwn(header, name)) throw new TokenInvalid(`${name}: a header that the service never writes`);
    }
    if (typeof header.kid !== "string" || !header.kid) throw new TokenInvalid("kid: no key id");
    return header.kid;
  }

  async #key(kid) {
    const keys = await this.#keys.get();
    if (!keys) throw new KeysUnavailable("the service's keys could not be fetched yet");
    return keys.get(kid) ?? (await this.requireKey(kid));
  }

  #check({ iss, iat, nbf = iat, exp }) {
    if (iss !== this.#issuer) throw new TokenInvalid("iss: another issuer");
    if (![iat, nbf, exp].every(Number.isSafeInteger)) {
      throw new TokenInvalid("times: iat, nbf or exp is no number of seconds");
    }
    const now = Math.floor(this.#clock() / 1000);
    if (now >= exp + LEEWAY) throw new TokenExpired("exp: expired");
    if (Math.max(iat, nbf) > now + LEEWAY) throw new TokenInvalid("nbf: issued in the future");
  }
}

/** Returns the header and the bytes of the claims, neither of them verified. */
function decoded(token, longest) {
  const parts = typeof token === "string" && token.length <= longest && COMPACT.exec(token);
  if (!parts) throw new TokenInvalid("form: not a token");
  const [header, payload] = parts.slice(1).map(bytesOf);
  return { header: parsedObject(header, "form"), payload };
}

/** Decodes base64url without padding, which has one way to write each value. */
function bytesOf(part) {
  try {
    const bytes = base64url.decode(part);
    if (base64url.encode(bytes) === part) return bytes;
  } catch {
    // Refused below.
  }
  throw new TokenInvalid("form: not base64url");
}

/** Parses a JSON object in UTF-8. */
function parsedObject(bytes, named) {
  let value = null;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    // The message of a parser repeats a part of what it read.
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new TokenInvalid(`${named}: not a JSON object`);
  }
  return value;
}
