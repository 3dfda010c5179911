import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Check } from "../kube/least-role.ts";
import { everyRoute } from "./every-route.ts";
import type { LiveFixture } from "./live-fixture.ts";
import type { Route } from "./routes.ts";

/** What MLflow's plugin does with a request, by its own look-up. */
export type Verdict =
  /** `open`: nobody is asked. `denied`: everybody is refused. `unknown`: there is no rule, so there is nothing. */
  | { readonly kind: "open" | "denied" | "unknown" }
  /** `workspaces`: the list of those that the caller may see. `workspace`: one of them. */
  | { readonly kind: "workspaces" | "workspace" }
  /** `filtered`: who may not do all that is asked is given the answer without what they may not see. */
  | { readonly kind: "checked" | "filtered"; readonly checks: readonly Check[] };

export interface Verdicts {
  readonly routes: readonly (Route & Verdict)[];
  /** Of the fields of a query of GraphQL. */
  readonly fields: readonly ({ readonly field: string } & Extract<Verdict, { checks: unknown }>)[];
}

/** The plugin's verdict on each route of the very MLflow that serves. */
export async function routeVerdicts(fixture: LiveFixture, server: string): Promise<Verdicts> {
  const program = await readFile(join(import.meta.dirname, "../kube/plugin/plugin_rules.py"), "utf8");
  const routes = await everyRoute(fixture, server);
  const [pod] = await fixture.pods(server);
  const pairs = JSON.stringify(routes.map(({ method, path }) => [method, path]));
  const command = ["python", "-W", "ignore", "-c", program, "verdicts"];
  const output = await fixture.inPod(pod?.metadata.name ?? "", command, pairs);
  return JSON.parse(output.slice(output.indexOf('{"routes"')));
}
