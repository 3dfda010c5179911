import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { after, test } from "node:test";
import { dockerCanPull } from "./docker.ts";

const image = "rancher/k3s:some-tag";
const closing: (() => void)[] = [];
after(() => {
  for (const close of closing) close();
});

/** Simulates an engine: only the decision is tested here, not Docker. */
async function engine(listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  closing.push(() => server.close().closeAllConnections());
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return new URL(`tcp://127.0.0.1:${address.port}`);
}

test("is true if the engine has the image", async () => {
  const has = await engine((request, answer) =>
    answer.writeHead(request.url === `/images/${image}/json` ? 200 : 500).end("{}"),
  );
  assert.equal(await dockerCanPull(image, has), true);
});

test("is true if its registry has the image, false if the registry is unreachable", async () => {
  const pulls = await engine((request, answer) =>
    answer.writeHead(request.url === `/distribution/${image}/json` ? 200 : 404).end("{}"),
  );
  const offline = await engine((request, answer) =>
    answer.writeHead(request.url?.startsWith("/distribution") ? 500 : 404).end("{}"),
  );
  assert.equal(await dockerCanPull(image, pulls), true);
  assert.equal(await dockerCanPull(image, offline), false);
});

test("is false within seconds without an engine, without a response, or for a remote engine", async () => {
  const began = performance.now();
  const [silent, absent, remote] = await Promise.all([
    engine(() => {}).then((url) => dockerCanPull(image, url)),
    dockerCanPull(image, new URL("unix:///nowhere/docker.sock")),
    dockerCanPull(image, new URL("ssh://elsewhere")),
  ]);
  assert.deepEqual([silent, absent, remote], [false, false, false]);
  assert.ok(performance.now() - began < 15_000);
});
