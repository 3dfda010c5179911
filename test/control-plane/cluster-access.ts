import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { type ClusterCas, issueCertificate, type Stem } from "./certificates.ts";
import { type Completed, completed, succeeded } from "./completed.ts";

/** Plain JSON with which another process can use a running cluster. Its paths contain private keys of a temporary cluster. */
export interface ClusterAddress {
  readonly url: string;
  /** Directory for certificates and kubeconfigs of further users. */
  readonly directory: string;
  readonly kubectlProgram: string;
  readonly clusterCas: ClusterCas;
  /** Undefined if the control plane was started without an audit log. */
  readonly auditLogPath?: string;
}

/** An identity for the API server: a user with groups (client certificate), or a ServiceAccount (token for a day). */
export type Identity =
  | { readonly name: string; readonly groups?: readonly string[] }
  | { readonly serviceAccount: string; readonly namespace: string };

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 60,000, for busy machines. */
  readonly timeoutMilliseconds?: number;
}

export interface ClusterAccess {
  readonly address: ClusterAddress;
  readonly url: string;
  /** The CA certificate of the API server. */
  readonly caFile: string;
  /** Of an administrator (group `system:masters`). */
  readonly kubeconfigPath: string;
  /** Empty if the control plane was started without an audit log. */
  readonly auditLogPath: string;
  /** Runs kubectl as the administrator. A non-zero exit code is not an error. */
  readonly kubectl: (args: readonly string[], stdin?: string) => Promise<Completed>;
  /** Makes one HTTP request as the administrator, over a persistent connection; `path` starts with `/` and can have a query. */
  readonly request: (method: string, path: string, options?: RequestOptions) => Promise<Answer>;
  /**
   * Creates a kubeconfig for `identity` and returns its path. `server` replaces the URL of the API server, for a proxy in front
   * of it. A ServiceAccount must exist.
   */
  readonly kubeconfigFor: (identity: Identity, server?: string) => Promise<string>;
  /** Returns a bearer token of an existing ServiceAccount, valid for a day. */
  readonly tokenFor: (namespace: string, serviceAccount: string) => Promise<string>;
}

/** Returns access to the cluster at `address`. Creates the administrator's kubeconfig if it does not exist; makes no request. */
export async function clusterAccess(address: ClusterAddress): Promise<ClusterAccess> {
  const { url, directory, clusterCas } = address;
  const administrator = { name: "admin", groups: ["system:masters"] };
  const kubeconfigFor = async (identity: Identity, server = url): Promise<string> => {
    const stem = join(directory, fileNameOf(identity, server));
    const user =
      "serviceAccount" in identity
        ? { token: await tokenFor(identity.namespace, identity.serviceAccount) }
        : await clientCertificate(clusterCas.clients, stem, identity);
    await writeFile(
      `${stem}.kubeconfig`,
      kubeconfig(server, await readFile(`${clusterCas.serving}.crt`, "utf8"), user),
      {
        mode: 0o600,
      },
    );
    return `${stem}.kubeconfig`;
  };
  const kubeconfigPath = await kubeconfigFor(administrator);
  const stem = kubeconfigPath.replace(/\.kubeconfig$/, "");
  const agent = new Agent({
    keepAlive: true,
    // The API server closes connections after 90 s without requests; such a connection must not be reused.
    timeout: 60_000,
    ca: await readFile(`${clusterCas.serving}.crt`),
    cert: await readFile(`${stem}.crt`),
    key: await readFile(`${stem}.key`),
  });
  const kubectlArgs = (args: readonly string[]) => ["--kubeconfig", kubeconfigPath, ...args];
  // An empty home directory, so that no kubeconfig or kubectl settings of the user are used.
  const env = { PATH: process.env["PATH"] ?? "", HOME: directory };
  async function tokenFor(namespace: string, serviceAccount: string): Promise<string> {
    const args = ["create", "token", serviceAccount, "--namespace", namespace, "--duration", "24h"];
    return (await succeeded(address.kubectlProgram, kubectlArgs(args), { env })).trim();
  }
  return {
    address,
    url,
    caFile: `${clusterCas.serving}.crt`,
    kubeconfigPath,
    auditLogPath: address.auditLogPath ?? "",
    kubectl: (args, stdin) =>
      completed(address.kubectlProgram, kubectlArgs(args), { env, ...(stdin !== undefined && { stdin }) }),
    request: (method, path, options = {}) => request(agent, new URL(path, url), method, options),
    kubeconfigFor,
    tokenFor,
  };
}

/** Returns a file name that is unique for the identity and the process. */
function fileNameOf(identity: Identity, server: string): string {
  const name = "serviceAccount" in identity ? `${identity.namespace}-${identity.serviceAccount}` : identity.name;
  const hash = createHash("sha256")
    .update(JSON.stringify([identity, server, process.pid]))
    .digest("hex");
  return `${name.replaceAll(/[^A-Za-z0-9-]/g, "-")}-${hash.slice(0, 8)}`;
}

async function clientCertificate(issuingCa: Stem, stem: Stem, identity: { name: string; groups?: readonly string[] }) {
  await issueCertificate(issuingCa, stem, identity);
  return {
    "client-certificate-data": base64(await readFile(`${stem}.crt`, "utf8")),
    "client-key-data": base64(await readFile(`${stem}.key`, "utf8")),
  };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** JSON, which is valid YAML. */
function kubeconfig(server: string, issuingCa: string, user: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": base64(issuingCa) } }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  });
}

function request(agent: Agent, url: URL, method: string, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const ofBody = body !== undefined && {
      "content-type": "application/json",
      // Node sets no Content-Length for a DELETE with a body, and the body would be read as the next request.
      "content-length": String(Buffer.byteLength(body)),
    };
    const headers = { ...ofBody, ...options.headers };
    const outgoing = httpsRequest(url, { method, agent, headers, timeout: options.timeoutMilliseconds ?? 60_000 });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${url.href} timed out.`)));
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      incoming.on("error", reject);
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body: text }));
    });
    outgoing.end(body);
  });
}
