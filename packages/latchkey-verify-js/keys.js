// The service's public keys (JWKS), by key id.

import { importJWK } from "jose";

export const KEY_TYPES = { RS256: "RSA", ES256: "EC", EdDSA: "OKP" };

/** Keys of a JWKS that are read. */
const MAX_KEYS = 32;

/** Returns a Map from key id to key, of the keys that sign with this algorithm. */
export async function loadKeys(fetchText, issuer, algorithm) {
  const listed = JSON.parse(await fetchText(`${issuer}/.well-known/jwks.json`))?.keys;
  if (!Array.isArray(listed)) throw new Error("the JWKS has no list of keys");
  const usable = listed.slice(0, MAX_KEYS).filter((key) => signsWith(key, algorithm));
  if (usable.length === 0) throw new Error(`the JWKS has no key for ${algorithm}`);
  const imported = usable.map(async (key) => [key.kid, await importJWK(key, algorithm)]);
  return new Map(await Promise.all(imported));
}

function signsWith(key, algorithm) {
  return (
    typeof key?.kid === "string" &&
    key.kty === KEY_TYPES[algorithm] &&
    (key.alg ?? algorithm) === algorithm &&
    (key.use ?? "sig") === "sig"
  );
}
