import { existsSync } from "node:fs";
import { type RequestOptions, request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";

/** Kept apart from what starts it, so that asking for it does not load a container client. */
export const k3sImage = "rancher/k3s:v1.36.1-k3s1";

/** Where a Docker engine may be asked: `DOCKER_HOST`, else the sockets that Docker and its rootless and desktop forms make. */
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
 * Whether the engine has `image` or its registry answers the engine's question for it; decided within 3 s, and "no"
 * whenever there is doubt. The engine asks the registry, so its mirrors, proxies and credentials count and no host is
 * assumed here.
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

/** Undefined for schemes that need more than plain HTTP (ssh, TLS): their published ports are not on this machine either. */
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
