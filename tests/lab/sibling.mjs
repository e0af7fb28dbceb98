// Another service of the platform, on a host beside the sign-in service. It knows the
// public JWKS and nothing else: GET /me answers with the claims of the platform token in
// the visitor's cookie, or 401 with the reason.
// SIBLING_PORT, SIBLING_JWKS_URL, SIBLING_ISSUER and SIBLING_AUDIENCE set it up.

import { createServer } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { SIBLING_PORT, SIBLING_JWKS_URL, SIBLING_ISSUER, SIBLING_AUDIENCE } = process.env
const jwks = createRemoteJWKSet(new URL(SIBLING_JWKS_URL))
const expected = {
  issuer: SIBLING_ISSUER,
  audience: SIBLING_AUDIENCE,
  algorithms: ['RS256'],
  requiredClaims: ['sub', 'exp', 'iat', 'jti', 'sid', 'username'],
}

function platformToken(request) {
  const cookie = /(?:^|; )platform_token=([^;]+)/.exec(request.headers.cookie ?? '')
  if (!cookie) throw new Error('no platform token')
  return cookie[1]
}

async function identify(request) {
  try {
    const { payload, protectedHeader } = await jwtVerify(platformToken(request), jwks, expected)
    return [200, { claims: payload, header: protectedHeader }]
  } catch (error) {
    return [401, { error: error.message }]
  }
}

createServer(async (request, response) => {
  const [status, answer] = request.url === '/me' ? await identify(request) : [200, { alive: true }]
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(answer))
}).listen(Number(SIBLING_PORT), '127.0.0.1')
