import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProxySettings } from "../../src/api/fields/oauth2-proxy.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import { proxyArguments } from "../../src/resources/proxy/arguments.ts";
import { proxyFiles } from "../../src/resources/proxy/files.ts";
import { oauth2ProxyProgram } from "../cluster/oauth2-proxy.ts";
import { freePort } from "../control-plane/free-port.ts";
import { inputs, server } from "../support/fixtures.ts";
import type { Certificate } from "../support/oidc/certificate.ts";
import { webSession } from "../support/oidc/web-session.ts";

/** A request that was forwarded to the server in place of MLflow. */
export interface ForwardedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** A real oauth2-proxy with the arguments of pods, in front of a server that records requests. */
export interface RunningProxy {
  readonly port: number;
  /** The requests that were forwarded since the last call. */
  readonly forwarded: () => ForwardedRequest[];
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

export interface ProxyOptions {
  readonly proxy: ProxySettings;
  readonly exposure?: MlflowServerSpec["exposure"];
  /** Content of its files, by path in the pod. */
  readonly files: Readonly<Record<string, string>>;
  /** The URL of its port, for `redirectURL`. */
  readonly port?: number;
  /** `spec.monitoring`, with its metrics at this port. */
  readonly metricsPort?: number;
  /** `spec.server.tls`. */
  readonly certificate?: Certificate;
  /** The variables that pods have from Secrets. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it, and waits until it answers. Throws with its last output if it exits. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { proxy, exposure, files, port = await freePort(), certificate } = options;
  const { env = {}, metricsPort } = options;
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-proxy-"));
  const passed: ForwardedRequest[] = [];
  const upstream = createServer((incoming, outgoing) => {
    const { method = "", url = "", headers } = incoming;
    passed.push({ method, url, headers });
    incoming.resume().on("end", () => outgoing.end(JSON.stringify({ passed: url })));
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const address = upstream.address();
  const upstreamPort = typeof address === "object" ? address?.port : undefined;
  for (const [path, content] of Object.entries({
    [proxyFiles.cookieSecret]: "c".repeat(32),
    ...(certificate && {
      [`${proxyFiles.tls}/tls.crt`]: certificate.cert,
      [`${proxyFiles.tls}/tls.key`]: certificate.key,
    }),
    ...files,
  })) {
    await mkdir(join(directory, dirname(path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  // Only addresses and the paths of files differ from pods.
  const tls = certificate && { server: { tls: { certificateSecretRef: { name: "tls" } } } };
  const monitored = metricsPort !== undefined && { monitoring: { namespace: "monitoring" } };
  const spec = {
    authentication: { oauth2Proxy: proxy },
    ...tls,
    ...(exposure !== undefined && { exposure }),
    ...monitored,
  };
  const model = resolve(inputs(server(spec)));
  const args = (model.proxy === undefined ? [] : proxyArguments(model, model.proxy)).map((argument) =>
    argument
      .replace("=:4180", `=127.0.0.1:${port}`)
      .replace("=:44180", `=127.0.0.1:${metricsPort}`)
      .replace("127.0.0.1:5000", `127.0.0.1:${upstreamPort}`)
      .replace("/etc/oauth2-proxy", `${directory}/etc/oauth2-proxy`)
      .replaceAll("$$(", "$("),
  );
  const child = spawn(await oauth2ProxyProgram(), args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  const stop = async () => {
    await ended(child);
    upstream.close();
    upstream.closeAllConnections();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await answering(child, port, certificate);
  } catch (error) {
    await stop();
    throw new Error(`oauth2-proxy does not serve:\n${log}`, { cause: error });
  }
  return { port, forwarded: () => passed.splice(0), log: () => log, stop };
}

async function answering(child: ChildProcess, port: number, certificate: Certificate | undefined): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}.`);
    const url = `${certificate ? "https" : "http"}://127.0.0.1:${port}/ping`;
    const answer = await webSession({ ca: certificate?.ca })
      .send("GET", url)
      .catch(() => undefined);
    if (answer?.status === 200) return;
    await sleep(50);
  }
  throw new Error("It never answered.");
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
