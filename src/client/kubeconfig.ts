import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { messageOf } from "../kube/message-of.ts";
import type { ReadCredentials, TlsMaterial } from "./credentials.ts";

/**
 * Reads the credentials of a context of a kubeconfig (default: the current context): certificates, tokens and their files,
 * exec plugins. Throws if the file cannot be read.
 */
export function kubeconfig(path: string, context: string | undefined): ReadCredentials {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (error) {
    throw new Error(`The kubeconfig ${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (context !== undefined) config.setCurrentContext(context);
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
