import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Check } from "../kube/least-role.ts";
import { everyRoute } from "./every-route.ts";
import type { LiveFixture } from "./live-fixture.ts";
import type { Route } from "./routes.ts";

/** The decision of MLflow's plugin for a request, from its own lookup. */
export type Verdict =
  /** `open`: no check. `denied`: denied for all clients. `unknown`: there is no rule, so there is no route. */
  | { readonly kind: "open" | "denied" | "unknown" }
  /** `workspaces`: the list of workspaces that the caller can see. `workspace`: one of them. */
  | { readonly kind: "workspaces" | "workspace" }
  /** `filtered`: the answer contains only the objects that the caller can read. */
  | { readonly kind: "checked" | "filtered"; readonly checks: readonly Check[] };

export interface Verdicts {
  readonly routes: readonly (Route & Verdict)[];
  /** The fields of GraphQL queries. */
  readonly fields: readonly ({ readonly field: string } & Extract<Verdict, { checks: unknown }>)[];
}

/** Returns the plugin's decision on each route of the running MLflow. */
export async function routeVerdicts(fixture: LiveFixture, server: string): Promise<Verdicts> {
  const program = await readFile(join(import.meta.dirname, "../kube/plugin/plugin_rules.py"), "utf8");
  const routes = await everyRoute(fixture, server);
  const [pod] = await fixture.pods(server);
  const pairs = JSON.stringify(routes.map(({ method, path }) => [method, path]));
  const command = ["python", "-W", "ignore", "-c", program, "verdicts"];
  const output = await fixture.inPod(pod?.metadata.name ?? "", command, pairs);
  return JSON.parse(output.slice(output.indexOf('{"routes"')));
}
