// The reference client for Node, unmodified, on the same hosts: one JSON order a line.
import { Resolver } from "node:dns/promises";
import { createInterface } from "node:readline";
import { JoseKey, NodeOAuthClient } from "@atproto/oauth-client-node";
import { AtprotoHandleResolver } from "@atproto-labs/handle-resolver";
import { Agent, buildConnector, fetch as undiciFetch } from "undici";

const { tlsPort, dnsPort, metadata, key } = JSON.parse(process.argv[2]);

// Every name leads to the one port of the world; names and certificates stay real.
const connect = buildConnector({});
const dispatcher = new Agent({
  connect: (options, callback) =>
    connect({ ...options, hostname: "127.0.0.1", port: tlsPort, servername: options.hostname }, callback),
});
const fetch = async (input, init) => {
  const request = new Request(input, init);
  const body = request.body ? await request.text() : undefined;
  return undiciFetch(request.url, {
    method: request.method,
    headers: Object.fromEntries(request.headers),
    body,
    redirect: request.redirect,
    signal: request.signal,
    dispatcher,
  });
};

const dns = new Resolver();
dns.setServers([`127.0.0.1:${dnsPort}`]);
const resolveTxt = (name) =>
  dns.resolveTxt(name).then((records) => records.map((chunks) => chunks.join("")), () => null);

const store = () => {
  const kept = new Map();
  return {
    get: async (id) => kept.get(id),
    set: async (id, value) => void kept.set(id, value),
    del: async (id) => void kept.delete(id),
  };
};

const client = new NodeOAuthClient({
  clientMetadata: metadata,
  keyset: [await JoseKey.fromImportable(JSON.stringify(key), key.kid)],
  stateStore: store(),
  sessionStore: store(),
  handleResolver: new AtprotoHandleResolver({ fetch, resolveTxt }),
  requestLock: (_name, act) => act(),
  fetch,
});

const act = {
  login: async (handle) => ({ url: String(await client.authorize(handle, { state: "bench" })) }),
  callback: async (url) => {
    await client.callback(new URL(url).searchParams);
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [[order, value]] = Object.entries(JSON.parse(line));
  const before = process.cpuUsage();
  let answer;
  try {
    answer = await act[order](value);
  } catch (error) {
    answer = { error: `${error?.stack} ${error?.cause?.stack ?? ""}` };
  }
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ ...answer, cpu: (user + system) / 1e6 }));
}
