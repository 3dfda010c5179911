import { existsSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { delimiter } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { messageOf } from "../errors.ts";
import type { ReadCredentials, TlsMaterial } from "./credentials.ts";

/**
 * Reads the credentials of a context of a kubeconfig (default: the current context): certificates, tokens and their files,
 * exec plugins. Several paths are merged, as in `KUBECONFIG`. Throws where a file cannot be read.
 */
export function kubeconfig(path: string, context: string | undefined): ReadCredentials {
  const config = loadedKubeconfig(path, context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(`The kubeconfig ${path} has no cluster for ${contextText(context)}: name one of its contexts.`);
  }
  if (cluster.proxyUrl) {
    throw new Error(
      `The cluster ${cluster.name} of the kubeconfig ${path} has a proxy-url, which is not supported: remove it.`,
    );
  }
  const server = new URL(cluster.server);
  return async () => {
    const options: RequestOptions = {};
    // It also creates an agent, which is not used.
    await config.applyToHTTPSOptions(options);
    return { server, headers: headersOf(options), tls: tlsOf(options) };
  };
}

/** The namespace of a kubeconfig's context (its current one, if none is named). */
export function contextNamespace(path: string, context: string | undefined): string | undefined {
  const config = loadedKubeconfig(path, context);
  return config.getContextObject(config.getCurrentContext())?.namespace;
}

/** Those paths of a list, separated as in `KUBECONFIG`, that exist. */
export function existingPaths(list: string): string[] {
  return list.split(delimiter).filter((path) => path !== "" && existsSync(path));
}

function loadedKubeconfig(list: string, context: string | undefined): KubeConfig {
  const [path = list, ...others] = list.split(delimiter);
  const first = parsedKubeconfig(path);
  for (const other of others.map(parsedKubeconfig)) {
    // The first file that has an entry or a current context is used, as by kubectl.
    first.clusters = merged(first.clusters, other.clusters);
    first.users = merged(first.users, other.users);
    first.contexts = merged(first.contexts, other.contexts);
    first.currentContext ||= other.currentContext;
  }
  if (context !== undefined) first.setCurrentContext(context);
  return first;
}

function parsedKubeconfig(path: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (error) {
    throw new Error(`The kubeconfig ${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return config;
}

function merged<T extends { readonly name: string }>(first: readonly T[], others: readonly T[]): T[] {
  return [...first, ...others.filter(({ name }) => !first.some((entry) => entry.name === name))];
}

function contextText(context: string | undefined): string {
  return context === undefined ? "its current context" : `the context ${context}`;
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const strings: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value !== undefined) strings[name] = String(value).trim();
  }
  if (auth) strings["Authorization"] = `Basic ${Buffer.from(auth).toString("base64")}`;
  return strings;
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized = true }: RequestOptions): TlsMaterial {
  return {
    rejectUnauthorized,
    ...(ca ? { ca: String(ca) } : {}),
    ...(cert ? { cert: String(cert) } : {}),
    ...(key ? { key: String(key) } : {}),
    ...(servername ? { servername } : {}),
  };
}
