// The service's public keys (JWKS), by key id.

import { importJWK } from "jose";

/** `kty` and `crv` of the keys of each algorithm. */
export const KEY_TYPES = {
  RS256: ["RSA", undefined],
  ES256: ["EC", "P-256"],
  EdDSA: ["OKP", "Ed25519"],
};

/** RFC 7518 section 3.3. */
const MIN_RSA_BITS = 2_048;

/** Keys of a JWKS that are read. */
const MAX_KEYS = 32;

/** Returns a Map from key id to key, of the keys that sign with this algorithm. */
export async function loadKeys(fetchText, issuer, algorithm) {
  const listed = JSON.parse(await fetchText(`${issuer}/.well-known/jwks.json`))?.keys;
  if (!Array.isArray(listed)) throw new Error("the JWKS has no list of keys");
  const keys = new Map();
  for (const jwk of listed.slice(0, MAX_KEYS)) {
    const key = signsWith(jwk, algorithm) ? await imported(jwk, algorithm) : null;
    if (key) keys.set(jwk.kid, key);
  }
  if (keys.size === 0) throw new Error(`the JWKS has no key for ${algorithm}`);
  return keys;
}

function signsWith(key, algorithm) {
  const [kty, crv] = KEY_TYPES[algorithm];
  return (
    typeof key?.kid === "string" &&
    key.kty === kty &&
    key.crv === crv &&
    (key.alg === undefined || key.alg === algorithm) &&
    (key.use === undefined || key.use === "sig") &&
    !Object.hasOwn(key, "d") // a private key
  );
}

/** Returns the key; null for one to ignore (RFC 7517 section 5). */
async function imported({ kty, crv, n, e, x, y }, algorithm) {
  try {
    const key = await importJWK({ kty, crv, n, e, x, y }, algorithm);
    return key.algorithm.modulusLength < MIN_RSA_BITS ? null : key;
  } catch {
    return null;
  }
}
