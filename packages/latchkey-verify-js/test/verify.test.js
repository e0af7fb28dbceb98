// Which tokens are accepted and refused, and with which error.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";

import { exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";

import {
  KeysUnavailable,
  SessionEnded,
  TokenExpired,
  TokenInvalid,
  TokenMissing,
  Verifier,
} from "@latchkey/verify";
import { HOUR, ISSUER, Service } from "./service.js";

const JWKS = "/.well-known/jwks.json";
const FEED = "/auth/revocations";
const encoded = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

async function refused(promise, kind, named = "") {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof kind, `${error}`);
    assert.ok(error.message.includes(named), error.message);
    return true;
  });
}

test("verify with a token of the service returns the person", async () => {
  const service = new Service();
  const person = await service.verifier().verify(await service.token());
  assert.deepEqual(person, {
    did: "did:plc:alice",
    username: "alice",
    handle: "alice.example.com",
    sid: "session-1",
    issuedAt: service.now - 30,
    expiresAt: service.now + HOUR,
  });
});

for (const seconds of [-29, 29]) {
  test(`verify with clocks ${seconds} seconds apart accepts`, async () => {
    const service = new Service();
    const token = await service.token({ exp: service.now + 1, nbf: service.now });
    const verifier = service.verifier();
    service.now += seconds;
    assert.equal((await verifier.verify(token)).username, "alice");
  });
}

test("verify more than the leeway after exp rejects with TokenExpired", async () => {
  const service = new Service();
  const token = await service.token();
  service.now += HOUR + 30;
  await refused(service.verifier().verify(token), TokenExpired);
});

const WRONG_CLAIMS = [
  [{ iss: "https://auth.example.com" }, "iss"],
  [{ iss: `${ISSUER}/` }, "iss"],
  [{ aud: "https://other.example.org" }, "aud"],
  [{ aud: [ISSUER] }, "aud"],
  [{ sub: undefined }, "sub"],
  [{ sid: 5 }, "sid"],
  [{ username: null }, "username"],
  [{ handle: 7 }, "handle"],
  [{ exp: "soon" }, "times"],
  [{ iat: true }, "times"],
  [{ exp: 1e300 }, "times"],
];
for (const [changes, named] of WRONG_CLAIMS) {
  test(`verify with ${JSON.stringify(changes)} names ${named}`, async () => {
    const service = new Service();
    const claims = Buffer.from(JSON.stringify(service.claims(changes)));
    const { CompactSign } = await import("jose");
    const token = await new CompactSign(claims)
      .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: "first" })
      .sign(service.published.first.privateKey);
    await refused(service.verifier().verify(token), TokenInvalid, named);
  });
}

test("verify with a token from the future rejects", async () => {
  const service = new Service();
  for (const claim of ["iat", "nbf"]) {
    const token = await service.token({ [claim]: service.now + 31 });
    await refused(service.verifier().verify(token), TokenInvalid, "future");
  }
});

test("verify with another typ rejects", async () => {
  const service = new Service();
  for (const typ of ["revocations+jwt", "at+jwt", "jwt", undefined]) {
    const token = await service.sign(service.claims(), { typ });
    await refused(service.verifier().verify(token), TokenInvalid, "typ");
  }
});

test("verify with a header that brings a key rejects", async () => {
  const service = new Service();
  for (const name of ["jku", "jwk", "x5u", "x5c", "crit"]) {
    const [, claims, signature] = (await service.token()).split(".");
    const header = encoded({ alg: "RS256", typ: "JWT", kid: "first", [name]: ["x"] });
    const token = [header, claims, signature].join(".");
    await refused(service.verifier().verify(token), TokenInvalid, name);
  }
});

test("verify without signature rejects", async () => {
  const service = new Service();
  const token = new UnsecuredJWT(service.claims()).encode();
  await refused(service.verifier().verify(token), TokenInvalid, "alg");
});

test("verify with HS256 and the public key rejects", async () => {
  const service = new Service();
  const secret = await exportSPKI(service.published.first.publicKey);
  const signed = `${encoded({ alg: "HS256", typ: "JWT", kid: "first" })}.${encoded(service.claims())}`;
  const mac = createHmac("sha256", secret).update(signed).digest("base64url");
  await refused(service.verifier().verify(`${signed}.${mac}`), TokenInvalid, "alg");
});

test("verify with a foreign key under our key id rejects", async () => {
  const service = new Service();
  const { privateKey } = await generateKeyPair("RS256");
  const token = await new SignJWT(service.claims())
    .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: "first" })
    .sign(privateKey);
  await refused(service.verifier().verify(token), TokenInvalid, "signature");
});

test("verify ignores keys for another use", async () => {
  for (const change of [{ use: "enc" }, { alg: "PS256" }, { kty: "EC" }]) {
    const service = new Service();
    const [key] = (await service.jwks()).keys;
    service.jwks = () => ({ keys: [{ ...key, ...change }] });
    await refused(service.verifier().verify(await service.token()), KeysUnavailable);
  }
});

test("verify with garbage rejects", async () => {
  const service = new Service();
  const garbage = ["", ".", "..", "a.b.c", "\u00fc.\u00fc.\u00fc", "e30.e30.", "x".repeat(100_000)];
  for (const value of [...garbage, null, undefined, 5, `${encoded({ alg: "RS256", kid: 5 })}.e30.AA`]) {
    await refused(service.verifier().verify(value), TokenInvalid);
  }
});

test("authenticate takes the first good cookie, and at most eight", async () => {
  const service = new Service();
  const good = `platform_token=${await service.token()}`;
  const bad = "platform_token=garbage";
  const verifier = service.verifier();
  const person = await verifier.authenticate({ cookie: `${bad}; other=1; ${good}` });
  assert.equal(person.username, "alice");
  const cookie = [...Array(8).fill(bad), good].join("; ");
  await refused(verifier.authenticate({ cookie }), TokenInvalid);
});

test("authenticate with a bad Bearer does not fall back to the cookie", async () => {
  const service = new Service();
  const token = await service.token();
  const verifier = service.verifier();
  const cookie = `platform_token=${token}`;
  await refused(verifier.authenticate({ authorization: "Bearer x", cookie }), TokenInvalid);
  assert.ok(await verifier.authenticate({ authorization: `bearer  ${token}` }));
});

test("authenticate reads a header of a million spaces in linear time", async () => {
  const spaces = " ".repeat(1_000_000);
  const verifier = new Service().verifier();
  await refused(verifier.authenticate({ authorization: `bearer x${spaces}y` }), TokenInvalid, "form");
  await refused(verifier.authenticate({ authorization: `x${spaces}y` }), TokenMissing);
  await refused(verifier.authenticate({ cookie: `a${spaces}=${spaces}b` }), TokenMissing);
});

test("a message repeats nothing of the token", async () => {
  const service = new Service();
  const broken = Buffer.from('{"sub": "did:plc:alice", nonsense').toString("base64url");
  const { CompactSign } = await import("jose");
  const signed = await new CompactSign(Buffer.from(broken, "base64url"))
    .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: "first" })
    .sign(service.published.first.privateKey);
  for (const token of [`${broken}.e30.AA`, signed]) {
    await assert.rejects(service.verifier().verify(token), ({ message }) => {
      return /not a JSON object$/.test(message);
    });
  }
});

test("an audience that is empty is the issuer", async () => {
  const service = new Service();
  for (const audience of [undefined, null, ""]) {
    assert.ok(await service.verifier({ audience }).verify(await service.token()));
  }
});

test("authenticate without a token rejects with TokenMissing", async () => {
  const verifier = new Service().verifier();
  await refused(verifier.authenticate(), TokenMissing);
  await refused(verifier.authenticate({ authorization: "Basic eDp5", cookie: "a=b" }), TokenMissing);
});

test("an issuer that is no https origin throws", () => {
  const others = ["https://AUTH.example.org", `${ISSUER}:443`, `${ISSUER} `, "https://user@auth.example.org"];
  for (const issuer of ["http://auth.example.org", `${ISSUER}/`, "auth.example.org", "", ...others]) {
    assert.throws(() => new Verifier(issuer), /https:\/\/HOST/);
  }
  assert.throws(() => new Verifier(ISSUER, { algorithm: "HS256" }), /RS256/);
});

test("loginUrl leads back", () => {
  assert.equal(
    new Verifier(ISSUER).loginUrl("https://app.example.org/a?b=c&d"),
    `${ISSUER}/auth/login?return_to=https%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc%26d`,
  );
});

// --- documents -------------------------------------------------------------------

test("many tokens at once cause one fetch of each document", async () => {
  const service = new Service();
  const verifier = service.verifier();
  const token = await service.token();
  await Promise.all(Array.from({ length: 50 }, () => verifier.verify(token)));
  assert.deepEqual(service.asked.sort(), [JWKS, FEED].sort());
});

test("keys and ended sessions are kept while the service is down", async () => {
  const service = new Service();
  service.ended["session-2"] = service.now + 30 * HOUR;
  const verifier = service.verifier();
  await verifier.verify(await service.token());
  service.isDown = true;
  service.now += 20 * HOUR;
  assert.ok(await verifier.verify(await service.token()));
  await refused(verifier.verify(await service.token({ sid: "session-2" })), SessionEnded);
});

test("the first token while the service is down rejects; ten seconds later it is asked again", async () => {
  const service = new Service();
  service.isDown = true;
  const verifier = service.verifier();
  const token = await service.token();
  await refused(verifier.verify(token), KeysUnavailable);
  await refused(verifier.verify(token), KeysUnavailable);
  assert.equal(service.count(JWKS), 1);
  service.isDown = false;
  service.now += 10;
  assert.ok(await verifier.verify(token));
});

test("callers do not wait in an outage that is known", async () => {
  const service = new Service();
  const verifier = service.verifier();
  await verifier.verify(await service.token());
  service.isDown = true;
  service.now += 60;
  await verifier.verify(await service.token()); // waits for the feed, and fails
  service.now += 10;
  const before = service.asked.length;
  service.gate = new Promise(() => {}); // no answer comes
  assert.ok(await verifier.verify(await service.token()));
  assert.equal(service.asked.length, before + 1);
});

test("a clock that is set back does not keep old documents", async () => {
  const service = new Service();
  let passed = 0;
  const verifier = service.verifier({ monotonic: () => passed });
  const token = await service.token();
  await verifier.verify(token);
  service.ended["session-1"] = service.now + HOUR;
  service.now -= 20;
  passed += 30_000;
  await refused(verifier.verify(token), SessionEnded);
});

test("an unknown key id causes one fetch in ten seconds; a new key is found", async () => {
  const service = new Service();
  const verifier = service.verifier();
  await verifier.verify(await service.token());
  service.now += 10;
  for (let round = 0; round < 20; round++) {
    await refused(verifier.verify(await service.sign(service.claims(), { kid: "x" })), TokenInvalid, "kid");
  }
  assert.equal(service.count(JWKS), 2);
  service.publish("second");
  service.now += 10;
  assert.ok(await verifier.verify(await service.sign(service.claims(), { kid: "second" })));
});

test("a session that ended is refused within ten seconds", async () => {
  const service = new Service();
  const verifier = service.verifier();
  await verifier.verify(await service.token());
  service.ended["session-1"] = service.now + HOUR;
  service.now += 10;
  await verifier.verify(await service.token());
  await settle();
  await refused(verifier.verify(await service.token()), SessionEnded);
});

test("the feed is read by pages, and from the cursor on", async () => {
  const service = new Service();
  service.page = 2;
  for (let n = 0; n < 5; n++) service.ended[`old-${n}`] = service.now + HOUR;
  const verifier = service.verifier();
  await verifier.verify(await service.token());
  assert.equal(service.count(FEED), 3);
  service.ended["session-1"] = service.now + HOUR;
  service.now += 30;
  await refused(verifier.verify(await service.token()), SessionEnded);
  assert.equal(service.count(FEED), 4);
});

test("a dropped key is refused before the keys are refreshed", async () => {
  const service = new Service();
  service.publish("second");
  const verifier = service.verifier();
  const token = await service.token();
  await verifier.verify(token);
  delete service.published.first;
  service.feedSigner = "second";
  service.now += 30;
  await refused(verifier.verify(token), TokenInvalid, "kid");
});

test("a feed that is not the service's is ignored", async () => {
  const service = new Service();
  const forged = await service.token({ sessions: { "session-1": 2 ** 40 }, keys: [], next: "", more: false });
  for (const feed of ["", "nonsense", "[]", "a.b.c", forged]) {
    service.feed = () => feed;
    assert.ok(await service.verifier().verify(await service.token()));
  }
});
