// A relying party on openid-client: pushes its request where the provider takes pushed
// ones, verifies the answer, and refreshes when it is told to.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

import * as client from "openid-client";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SCOPE, PORT } = process.env;
const execute = ISSUER.startsWith("http:") ? [client.allowInsecureRequests] : [];
const issuer = new URL(ISSUER);
const config = await client.discovery(issuer, CLIENT_ID, CLIENT_SECRET, undefined, { execute });
const visits = new Map();

const begin = async (response) => {
  const [id, verifier] = [randomUUID(), client.randomPKCECodeVerifier()];
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  visits.set(id, { verifier, state, nonce });
  const parameters = {
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
  };
  const location = await client.buildAuthorizationUrlWithPAR(config, parameters);
  response.setHeader("Set-Cookie", `node_session=${id}; Path=/; HttpOnly; SameSite=Lax`);
  response.writeHead(302, { Location: location.href }).end();
};

const finish = async (visit, url) => {
  visit.tokens = await client.authorizationCodeGrant(config, url, {
    pkceCodeVerifier: visit.verifier,
    expectedState: visit.state,
    expectedNonce: visit.nonce,
    idTokenExpected: true,
  });
  visit.refreshToken = visit.tokens.refresh_token;
  return told(visit);
};

const refresh = async (visit) => {
  const { refreshToken } = visit;
  visit.tokens = undefined; // who may not refresh is signed out
  visit.tokens = await client.refreshTokenGrant(config, refreshToken);
  visit.refreshToken = visit.tokens.refresh_token ?? refreshToken;
  return told(visit);
};

const told = async ({ tokens }) => {
  const claims = tokens.claims();
  return { claims, userinfo: await client.fetchUserInfo(config, tokens.access_token, claims.sub) };
};

const answer = async (request, response) => {
  const url = new URL(request.url, REDIRECT_URI);
  const id = /node_session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
  const visit = visits.get(id);
  let body;
  if (url.pathname === "/callback" && visit) body = await finish(visit, url);
  else if (url.pathname === "/refresh" && visit?.tokens) body = await refresh(visit);
  else if (url.pathname === "/" && visit?.tokens) body = await told(visit);
  else if (url.pathname === "/") return begin(response);
  else return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
};

createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error.name, error.code, error.error);
    response.writeHead(401, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ error: error.error ?? error.code ?? error.message }));
  });
}).listen(Number(PORT), "127.0.0.1");
