import assert from "node:assert/strict";
import { raw } from "../oauth2-proxy/raw.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { plainRoutesProgram, type Route, routesIn } from "./routes.ts";

/** Returns all routes of MLflow in a server's pod. */
export async function everyRoute(
  fixture: LiveFixture,
  server: string,
  program = plainRoutesProgram,
): Promise<readonly Route[]> {
  const [pod] = await fixture.pods(server);
  assert.ok(pod !== undefined);
  const { fastapi, routes } = routesIn(await fixture.inPod(pod.metadata.name, ["python", "-c", program]));
  assert.ok(fastapi > 20 && routes.length > 300, `only ${fastapi} and ${routes.length} routes have been found`);
  return routes;
}

/** Returns the routes, below a prefix, that answer other than 401 without a credential. */
export async function openRoutes(
  address: string,
  name: string,
  routes: readonly Route[],
  prefix = "",
): Promise<readonly string[]> {
  const queue = routes.map(({ method, path }) => ({ method, path: `${prefix}${path}` }));
  const open: string[] = [];
  const lane = async () => {
    for (let route = queue.shift(); route !== undefined; route = queue.shift()) {
      const { method, path } = route;
      const { status } = await raw(5000, method, path, [], { host: address, name });
      if (status !== 401) open.push(`${method} ${path}: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, lane));
  return open.sort();
}
