// Another service of the platform, on a host beside the sign-in service. It knows the
// public JWKS and nothing else: GET /me answers with the claims of the platform token in
// the visitor's cookie, or 401 with the reason. What is below /members/ the front door guards;
// there it says whom the door has named. GET /studio is a page that publishes a track in the
// visitor's repository, through the sign-in service.
// SIBLING_PORT, SIBLING_JWKS_URL, SIBLING_ISSUER and SIBLING_AUDIENCE set it up.

import { readFileSync } from 'node:fs'
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

// Behind forward auth: nothing is verified here, the proxy has said who it is.
function named(request) {
  const name = (header) => request.headers[`x-auth-request-${header}`]
  return { user: name('user'), did: name('did'), handle: name('handle'), session: name('session') }
}

async function answerTo(request) {
  if (request.url === '/me') return identify(request)
  if (request.url.startsWith('/members/')) return [200, named(request)]
  return [200, { alive: true }]
}

const studio = readFileSync(new URL('studio.html', import.meta.url), 'utf8').replace('@SERVICE@', SIBLING_ISSUER)

createServer(async (request, response) => {
  if (request.url === '/studio') {
    response.writeHead(200, { 'Content-Type': 'text/html' })
    return response.end(studio)
  }
  const [status, answer] = await answerTo(request)
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(answer))
}).listen(Number(SIBLING_PORT), '127.0.0.1')
