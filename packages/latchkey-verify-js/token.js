// Open a token (JWT): its form, header, signature, issuer and times.

import { compactVerify, decodeProtectedHeader } from "jose";

import { KeysUnavailable, TokenExpired, TokenInvalid } from "./errors.js";

/** Seconds by which the clocks of the service and of this machine may differ. */
export const LEEWAY = 30;

/** Milliseconds between two fetches that unknown key ids may cause. */
const KEYS_REFETCH = 10_000;

// Each names a key that the sender chose (RFC 8725 section 3.10), or demands an extension
// that we do not know (RFC 7515 section 4.1.11).
const REFUSED_HEADERS = ["jku", "jwk", "x5u", "x5c", "crit"];

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
    if (typeof token !== "string" || token.length > longest) {
      throw new TokenInvalid("form: not a token");
    }
    const kid = this.#checkedKid(token, typ);
    const claims = await this.#verified(token, await this.#key(kid));
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

  #checkedKid(token, typ) {
    let header;
    try {
      header = decodeProtectedHeader(token);
    } catch (error) {
      throw new TokenInvalid("form: no header", { cause: error });
    }
    if (header.alg !== this.#algorithm) {
      throw new TokenInvalid("alg: another algorithm than the service's");
    }
    if (header.typ !== typ) throw new TokenInvalid("typ: signed for another purpose");
    for (const name of REFUSED_HEADERS) {
      if (name in header) throw new TokenInvalid(`${name}: a header that the service never writes`);
    }
    if (typeof header.kid !== "string") throw new TokenInvalid("kid: no key id");
    return header.kid;
  }

  async #key(kid) {
    const keys = await this.#keys.get();
    if (!keys) throw new KeysUnavailable("the service's keys could not be fetched yet");
    return keys.get(kid) ?? (await this.requireKey(kid));
  }

  async #verified(token, key) {
    let claims;
    try {
      const { payload } = await compactVerify(token, key, { algorithms: [this.#algorithm] });
      claims = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    } catch (error) {
      throw new TokenInvalid(`signature: ${error.message}`, { cause: error });
    }
    if (claims === null || typeof claims !== "object") throw new TokenInvalid("claims: no object");
    return claims;
  }

  #check({ iss, iat, nbf = iat, exp }) {
    if (iss !== this.#issuer) throw new TokenInvalid("iss: another issuer");
    if (![iat, nbf, exp].every(Number.isSafeInteger)) {
      throw new TokenInvalid("times: iat, nbf or exp is no number");
    }
    const now = Math.floor(this.#clock() / 1000);
    if (now >= exp + LEEWAY) throw new TokenExpired("exp: expired");
    if (Math.max(iat, nbf) > now + LEEWAY) throw new TokenInvalid("nbf: issued in the future");
  }
}
