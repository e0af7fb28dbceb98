// Express and Hono: the person of each request, and 503 before the first keys.

import assert from "node:assert/strict";
import { test } from "node:test";

import express from "express";
import { Hono } from "hono";

import { signedIn as inExpress } from "@latchkey/verify/express";
import { signedIn as inHono } from "@latchkey/verify/hono";
import { Service } from "./service.js";

async function askExpress(service, headers) {
  const app = express();
  app.use(inExpress(service.verifier()));
  app.get("/", (request, response) => {
    response.send(request.person?.username ?? request.personError.name);
  });
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    return await text(await fetch(`http://127.0.0.1:${server.address().port}/`, { headers }));
  } finally {
    server.close();
  }
}

async function askHono(service, headers) {
  const app = new Hono();
  app.use(inHono(service.verifier()));
  app.get("/", (c) => c.text(c.get("person")?.username ?? c.get("personError").name));
  return text(await app.request("/", { headers }));
}

async function text(response) {
  return [response.status, await response.text(), response.headers.get("retry-after")];
}

for (const ask of [askExpress, askHono]) {
  test(`${ask.name} knows the person of a cookie and of a Bearer token`, async () => {
    const service = new Service();
    const token = await service.token();
    const ways = [{ cookie: `platform_token=${token}` }, { authorization: `Bearer ${token}` }];
    for (const headers of ways) {
      assert.deepEqual(await ask(service, headers), [200, "alice", null]);
    }
  });

  test(`${ask.name} says why no person is signed in`, async () => {
    const service = new Service();
    assert.deepEqual(await ask(service, {}), [200, "TokenMissing", null]);
    assert.deepEqual(await ask(service, { authorization: "Bearer x" }), [200, "TokenInvalid", null]);
  });

  test(`${ask.name} answers 503 before the first keys`, async () => {
    const service = new Service();
    const token = await service.token();
    service.isDown = true;
    const [status, , retryAfter] = await ask(service, { authorization: `Bearer ${token}` });
    assert.deepEqual([status, retryAfter], [503, "10"]);
  });
}
