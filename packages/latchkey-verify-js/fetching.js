// Fetch a document of the service: https, no redirect, bounded in bytes and time.

/** Milliseconds for the whole answer. */
export const TIMEOUT = 5_000;

/** The largest document that is read, in bytes. */
export const MAX_BYTES = 4 * 1024 * 1024;

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Returns the body of a 200 as text; throws for every other outcome. */
export async function fetchText(url) {
  const response = await fetch(url, {
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT),
    headers: { "User-Agent": "latchkey-verify" },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answers with status ${response.status}`);
  }
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const part of response.body) {
    length += part.length;
    if (length > MAX_BYTES) throw new Error(`${url} is larger than ${MAX_BYTES} bytes`);
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}

/** Returns the service's origin as it was given; throws for another form. */
export function checkedOrigin(issuer) {
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  const isSecure =
    url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.has(url.hostname));
  if (!isSecure || issuer !== url.origin) {
    throw new TypeError(`write the issuer as https://HOST, without a path or slash: ${issuer}`);
  }
  return issuer;
}
