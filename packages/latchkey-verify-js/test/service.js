// A sign-in service for the verifier: its keys, JWKS, revocation feed and outages.

import { exportJWK, generateKeyPair, SignJWT } from "jose";

import { Verifier } from "@latchkey/verify";

export const ISSUER = "https://auth.example.org";
export const HOUR = 3_600;

const PAIRS = await Promise.all([0, 1].map(() => generateKeyPair("RS256", { extractable: true })));

export class Service {
  now = Math.floor(Date.now() / 1000);
  published = { first: PAIRS[0] };
  ended = {};
  isDown = false;
  gate = null;
  asked = [];
  feedSigner = "first";
  page = 100;

  verifier(options) {
    const clock = () => this.now * 1000;
    return new Verifier(ISSUER, { fetch: (url) => this.fetch(url), clock, monotonic: clock, ...options });
  }

  async fetch(url) {
    const { pathname, searchParams } = new URL(url);
    this.asked.push(pathname);
    await this.gate;
    if (this.isDown) throw new Error("connection refused");
    if (pathname === "/auth/revocations") return this.feed(Number(searchParams.get("since") ?? 0));
    return JSON.stringify(await this.jwks());
  }

  async jwks() {
    const keys = Object.entries(this.published).map(async ([kid, { publicKey }]) => {
      return { ...(await exportJWK(publicKey)), kid, use: "sig", alg: "RS256" };
    });
    return { keys: await Promise.all(keys) };
  }

  feed(start) {
    const all = Object.entries(this.ended);
    const sessions = Object.fromEntries(all.slice(start, start + this.page));
    const end = Math.min(start + this.page, all.length);
    const keys = Object.keys(this.published);
    const claims = { sessions, keys, next: `${end}`, more: end < all.length };
    return this.sign(this.claims(claims), { typ: "revocations+jwt", kid: this.feedSigner });
  }

  publish(kid) {
    this.published[kid] = PAIRS[1];
  }

  claims(changes = {}) {
    return {
      iss: ISSUER,
      aud: ISSUER,
      sub: "did:plc:alice",
      username: "alice",
      handle: "alice.example.com",
      sid: "session-1",
      jti: "token-1",
      iat: this.now - 30,
      nbf: this.now - 30,
      exp: this.now + HOUR,
      ...changes,
    };
  }

  token(changes) {
    return this.sign(this.claims(changes));
  }

  sign(claims, header = {}) {
    const { kid = "first" } = header;
    const { privateKey } = this.published[kid] ?? PAIRS[1];
    return new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", typ: "JWT", ...header, kid })
      .sign(privateKey);
  }

  count(path) {
    return this.asked.filter((each) => each === path).length;
  }
}
