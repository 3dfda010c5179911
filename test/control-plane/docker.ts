import { existsSync } from "node:fs";
import { type RequestOptions, request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";

/** In a separate file, so that the check does not import a container client. */
export const k3sImage = "rancher/k3s:v1.36.1-k3s1";

/** Returns the URL of a Docker engine: `DOCKER_HOST`, otherwise the sockets of Docker, rootless Docker and Docker Desktop. */
export function dockerEngine(): URL | undefined {
  const named = process.env["DOCKER_HOST"];
  if (named) return URL.parse(named) ?? undefined;
  const runtime = process.env["XDG_RUNTIME_DIR"];
  const sockets = [
    "/var/run/docker.sock",
    join(homedir(), ".docker/run/docker.sock"),
    ...(runtime ? [join(runtime, "docker.sock")] : []),
  ];
  const found = sockets.find((path) => existsSync(path));
  return found === undefined ? undefined : new URL(`unix://${found}`);
}

/**
 * Whether the engine has `image` or can find it in its registry, within 3 s; false if that is
 * uncertain. The engine contacts the registry, with its mirrors, proxies and credentials.
 */
export async function dockerCanPull(image: string, engine = dockerEngine()): Promise<boolean> {
  const target = engine && requestTarget(engine);
  if (!target) return false;
  // Docker Engine API 1.30 and later: "inspect an image", "get image information from the registry".
  const deadline = AbortSignal.timeout(3000);
  for (const path of [`/images/${image}/json`, `/distribution/${image}/json`])
    if ((await statusOf({ ...target, path, signal: deadline })) === 200) return true;
  return false;
}

/** Undefined for schemes other than plain HTTP (ssh, TLS): published ports are not on this machine then. */
function requestTarget({ protocol, hostname, port, pathname }: URL): RequestOptions | undefined {
  if (protocol === "unix:") return { socketPath: pathname };
  if (protocol === "tcp:" || protocol === "http:") return { hostname, port: port || 2375 };
  return undefined;
}

function statusOf(options: RequestOptions): Promise<number | undefined> {
  return new Promise((resolve) => {
    const outgoing = request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    outgoing.on("error", () => resolve(undefined));
    outgoing.end();
  });
}
