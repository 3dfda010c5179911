import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationRule } from "../../kube/manifests.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import { writerPrincipals } from "./principals.ts";

/** Returns the ALLOW rules: only writers can POST traces; other paths are open to all clients. All else is denied. */
export function tracesRules(server: MlflowServer): AuthorizationRule[] {
  const prefix = externalAddressOf(server)?.prefix ?? "";
  return [...writerRules(server, prefix), ...otherPaths(prefix)];
}

/** Returns no rule without writers: in Istio a rule without principals matches all clients. */
function writerRules(server: MlflowServer, prefix: string): AuthorizationRule[] {
  const principals = writerPrincipals(server);
  if (principals.length === 0) return [];
  const roots = prefix === "" ? [""] : ["", prefix];
  const paths = roots.flatMap((root) => [`${root}/v1/traces`, `${root}/v1/traces/*`]);
  return [{ from: [{ source: { principals } }], to: [{ operation: { methods: ["POST"], paths } }] }];
}

/**
 * Returns the rules for all other paths. MLflow decodes a path one more time than the mesh (`meshConfig.pathNormalization`), so
 * every path that could decode to `/v1…` is excluded, with and without the prefix, and every path that could decode to
 * the prefix.
 */
function otherPaths(prefix: string): AuthorizationRule[] {
  const bare = v1Patterns("");
  if (prefix === "") return [{ to: [{ operation: { notPaths: bare } }] }];
  const [, first = ""] = prefix.split("/");
  const outside = [`/${first}`, `/${first}/*`, `/${first}%*`, ...encodingsOf(`/${first}`)];
  return [
    { to: [{ operation: { paths: [prefix, `${prefix}/*`], notPaths: v1Patterns(prefix) } }] },
    { to: [{ operation: { notPaths: [...new Set([...bare, ...outside])] } }] },
  ];
}

function v1Patterns(root: string): string[] {
  return [`${root}/v1*`, `${root}//*`, ...encodingsOf("/v1").map((pattern) => `${root}${pattern}`)];
}

/**
 * Returns patterns for every path that differs from `text` but decodes to it: it equals `text` up to its first encoded character,
 * which is a percent sign. The first slash of a path is never encoded.
 */
function encodingsOf(text: string): string[] {
  return Array.from({ length: text.length - 1 }, (_, index) => `${text.slice(0, index + 1)}%*`);
}
