// A service that verifies platform tokens offline with `jose`, as its documentation shows.
// One JSON line in, {"token": ..., "ahead": seconds}, one line out: {"sub": ...} or
// {"error": ...}. `ahead` moves the clock by which the JWKS is cached.
// VERIFIER_ISSUER sets it up.

import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const issuer = process.env.VERIFIER_ISSUER
const now = Date.now
let ahead = 0
Date.now = () => now() + ahead * 1000
const jwks = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))

async function verify(token) {
  const expected = { issuer, audience: issuer, algorithms: ['RS256'], currentDate: new Date(now()) }
  try {
    const { payload } = await jwtVerify(token, jwks, expected)
    return { sub: payload.sub }
  } catch (error) {
    return { error: error.code ?? error.message }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  ahead = asked.ahead
  console.log(JSON.stringify(await verify(asked.token)))
}
