// The revocation feed: sessions that ended while a token of theirs can live.
// GET /auth/revocations is a JWT of the service with a `typ` of its own.

export const TYP = "revocations+jwt";

const MAX_PAGES = 50;
const MAX_CURSOR = 100;

/** What the feed said until now. */
export const NOTHING = { sessions: new Map(), keys: new Set(), cursor: "" };

/** Returns what ended until now: what was known before, and what is new. */
export async function loadRevocations({ page, now }, before) {
  const known = before ?? NOTHING;
  const sessions = new Map([...known.sessions].filter(([, end]) => end > now()));
  let { keys, cursor } = known;
  for (let read = 0, more = true; more && read < MAX_PAGES; read++) {
    const claims = checked(await page(cursor));
    for (const [sid, end] of Object.entries(claims.sessions)) sessions.set(sid, end);
    keys = new Set(claims.keys);
    ({ next: cursor, more } = claims);
  }
  return { sessions, keys, cursor };
}

function checked(claims) {
  const { sessions, keys, next, more } = claims;
  const isPage =
    sessions !== null &&
    typeof sessions === "object" &&
    !Array.isArray(sessions) &&
    Object.values(sessions).every(Number.isInteger) &&
    Array.isArray(keys) &&
    keys.every((kid) => typeof kid === "string") &&
    typeof next === "string" &&
    next.length <= MAX_CURSOR &&
    typeof more === "boolean";
  if (!isPage) throw new Error("the revocation feed is of another form");
  return claims;
}
