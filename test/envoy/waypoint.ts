import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuthorizationRule } from "../../src/kube/manifests.ts";
import { issueCa, issueCertificate } from "../control-plane/certificates.ts";
import { freePort } from "../control-plane/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { envoyProgram } from "./envoy-program.ts";
import { rbacFilter } from "./rbac.ts";

export interface Request {
  readonly protocol: "HTTP/1.1" | "HTTP/2";
  /** The identity in the certificate, without spiffe://; undefined: no certificate. */
  readonly identity: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The upstream of forwarded requests. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** The port in policies for sidecars; in the tests each listener has another one. */
const servingPort = "5000";

/** A real Envoy that normalizes paths as a waypoint and a sidecar do by default, with a listener for each policy. */
export interface Waypoint {
  /** The status of the response; 200 if the request is forwarded without an upstream. */
  ask(policy: string, request: Request): Promise<number>;
  close(): Promise<void>;
}

type Policies = Readonly<Record<string, readonly AuthorizationRule[]>>;

/** Envoy's path settings by Istio's `meshConfig.pathNormalization`. */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

export async function startWaypoint(
  policies: Policies,
  identities: readonly string[],
  upstream?: Upstream,
  normalization: PathNormalization = "BASE",
): Promise<Waypoint> {
  const directory = await mkdtemp(join(tmpdir(), "waypoint-"));
  const issuingCa = join(directory, "ca");
  await issueCa(issuingCa, "mesh");
  const stemOf = (identity: string) => join(directory, identity.replaceAll("/", "_"));
  await issueCertificate(issuingCa, join(directory, "server"), {
    name: "waypoint",
    alternativeNames: ["IP:127.0.0.1"],
  });
  for (const identity of identities) {
    const alternativeNames = [`URI:spiffe://${identity}`];
    await issueCertificate(issuingCa, stemOf(identity), { name: "workload", alternativeNames });
  }
  const ca = await readFile(`${issuingCa}.crt`);
  const certificates = new Map<string | undefined, { ca: Buffer; cert?: Buffer; key?: Buffer }>([[undefined, { ca }]]);
  for (const identity of identities) {
    const [cert, key] = await Promise.all(["crt", "key"].map((end) => readFile(`${stemOf(identity)}.${end}`)));
    certificates.set(identity, { ca, ...(cert && { cert }), ...(key && { key }) });
  }
  const ports = new Map<string, number>();
  for (const name of Object.keys(policies)) ports.set(name, await freePort());
  const admin = await freePort();
  const listeners = Object.entries(policies).map(([name, rules]) =>
    listener(name, ports.get(name) ?? 0, rules, directory, upstream !== undefined, normalization),
  );
  const clusters = upstream === undefined ? [] : [chainAt(upstream)];
  const configuration = join(directory, "envoy.json");
  const address = { socket_address: { address: "127.0.0.1", port_value: admin } };
  await writeFile(configuration, JSON.stringify({ admin: { address }, static_resources: { listeners, clusters } }));
  const envoy: ChildProcess = spawn(await envoyProgram(), ["-c", configuration, "--concurrency", "1", "-l", "error"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await eventually(async () => {
    if (envoy.exitCode !== null) throw new Error(`Envoy ended with ${envoy.exitCode}`);
    if ((await fetch(`http://127.0.0.1:${admin}/ready`)).status !== 200) throw new Error("Envoy is not ready");
  });

  return {
    ask: (policy, asked) => {
      const port = ports.get(policy) ?? 0;
      const secrets = certificates.get(asked.identity) ?? { ca };
      return asked.protocol === "HTTP/2" ? overHttp2(port, secrets, asked) : overHttp1(port, secrets, asked);
    },
    close: async () => {
      const ended = once(envoy, "exit");
      envoy.kill();
      await ended;
      await rm(directory, { recursive: true });
    },
  };
}

function overHttp1(port: number, secrets: object, { method, path, headers = {}, body }: Request): Promise<number> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ ...secrets, maxCachedSessions: 0 });
    const call = request({ host: "127.0.0.1", port, method, path, headers, agent }, (answer) => {
      answer.resume();
      answer.on("end", () => agent.destroy());
      resolve(answer.statusCode ?? 0);
    });
    call.on("error", reject);
    call.end(body);
  });
}

function overHttp2(port: number, secrets: object, { method, path, headers = {}, body }: Request): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, secrets);
    session.on("error", reject);
    const stream = session.request({ ...headers, ":method": method, ":path": path });
    stream.on("error", reject);
    stream.on("response", (answer) => {
      resolve(Number(answer[":status"]));
      session.destroy();
    });
    stream.end(body);
  });
}

function chainAt({ address, port }: Upstream) {
  const endpoint = { address: { socket_address: { address, port_value: port } } };
  return {
    name: chain,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: { cluster_name: chain, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
}

const chain = "chain";

/** Istio's default is BASE: normalized, slashes neither merged nor unescaped. */
function listener(
  name: string,
  port: number,
  rules: readonly AuthorizationRule[],
  directory: string,
  isChained: boolean,
  normalization: PathNormalization,
) {
  const onward = isChained ? { route: { cluster: chain, timeout: "30s" } } : { direct_response: { status: 200 } };
  const file = (path: string) => ({ filename: join(directory, path) });
  const http = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [
      {
        transport_socket: {
          name: "tls",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            require_client_certificate: false,
            common_tls_context: {
              alpn_protocols: ["h2", "http/1.1"],
              tls_certificates: [{ certificate_chain: file("server.crt"), private_key: file("server.key") }],
              validation_context: { trusted_ca: file("ca.crt") },
            },
          },
        },
        filters: [
          {
            name: "http",
            typed_config: {
              "@type": http,
              stat_prefix: name,
              codec_type: "AUTO",
              normalize_path: normalization !== "NONE",
              merge_slashes: normalization === "MERGE_SLASHES" || normalization === "DECODE_AND_MERGE_SLASHES",
              path_with_escaped_slashes_action:
                normalization === "DECODE_AND_MERGE_SLASHES" ? "UNESCAPE_AND_FORWARD" : "KEEP_UNCHANGED",
              http_filters: [
                rbacFilter(rules, (wanted) => (wanted === servingPort ? port : Number(wanted))),
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                },
              ],
              route_config: {
                virtual_hosts: [
                  {
                    name: "all",
                    domains: ["*"],
                    routes: [{ match: { prefix: "/" }, ...onward }],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
  };
}
