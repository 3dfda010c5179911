import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationRule } from "../../kube/manifests.ts";
import { externalAddressOf } from "../exposure.ts";
import { writerPrincipals } from "./principals.ts";

/** Only writers POST traces; all other paths are everybody's. An ALLOW, which refuses what nobody has thought of. */
export function tracesRules(server: MlflowServer): AuthorizationRule[] {
  const prefix = externalAddressOf(server)?.prefix ?? "";
  return [...writing(server, prefix), ...elsewhere(prefix)];
}

/** Nobody named means nobody: Istio takes a rule without principals as one for everybody. */
function writing(server: MlflowServer, prefix: string): AuthorizationRule[] {
  const principals = writerPrincipals(server);
  if (principals.length === 0) return [];
  const roots = prefix === "" ? [""] : ["", prefix];
  const paths = roots.flatMap((root) => [`${root}/v1/traces`, `${root}/v1/traces/*`]);
  return [{ from: [{ source: { principals } }], to: [{ operation: { methods: ["POST"], paths } }] }];
}

/**
 * All other paths are open to every client, as far as the mesh goes. MLflow decodes a path once more than the mesh may have
 * done (`meshConfig.pathNormalization`), so everything that may become `/v1…` by that is left out: below the prefix as without
 * it, and what may become the prefix.
 */
function elsewhere(prefix: string): AuthorizationRule[] {
  const bare = disguises("");
  if (prefix === "") return [{ to: [{ operation: { notPaths: bare } }] }];
  const [, first = ""] = prefix.split("/");
  const outside = [`/${first}`, `/${first}/*`, `/${first}%*`, ...encodingsOf(`/${first}`)];
  return [
    { to: [{ operation: { paths: [prefix, `${prefix}/*`], notPaths: disguises(prefix) } }] },
    { to: [{ operation: { notPaths: [...new Set([...bare, ...outside])] } }] },
  ];
}

function disguises(root: string): string[] {
  return [`${root}/v1*`, `${root}//*`, ...encodingsOf("/v1").map((pattern) => `${root}${pattern}`)];
}

/**
 * Patterns of every path that is not `text` but decodes to it: up to its first encoded character it is as `text`, and there
 * it has a per cent sign. So no spelling has to be listed. The slash that begins a path is never encoded.
 */
function encodingsOf(text: string): string[] {
  return Array.from({ length: text.length - 1 }, (_, index) => `${text.slice(0, index + 1)}%*`);
}
