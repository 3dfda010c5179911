import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../control-plane/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { type Certificate, certificateFor } from "../support/oidc/certificate.ts";

/** A real Redis on this machine, with TLS and one user, `mlflow`. */
export interface RedisServer {
  readonly url: string;
  readonly password: string;
  readonly certificate: Certificate;
  readonly stop: () => Promise<void>;
}

export async function startRedis(port?: number): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-redis-"));
  const certificate = await certificateFor("127.0.0.1");
  const password = "of-redis-12345";
  const listens = port ?? (await freePort());
  for (const [file, text] of [
    ["tls.crt", certificate.cert],
    ["tls.key", certificate.key],
  ] as const)
    await writeFile(join(directory, file), text);
  await writeFile(
    join(directory, "redis.conf"),
    `bind 127.0.0.1
port 0
tls-port ${listens}
tls-cert-file tls.crt
tls-key-file tls.key
tls-auth-clients no
save ""
user default off
user mlflow on >${password} ~* &* +@all
`,
  );
  // Debian installs one program under several names; the name selects its function.
  const child = spawn("redis-check-rdb", ["redis.conf"], { argv0: "redis-server", cwd: directory, stdio: "ignore" });
  await eventually(() => reached(listens));
  return {
    url: `rediss://127.0.0.1:${listens}`,
    password,
    certificate,
    stop: async () => {
      if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function reached(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect").finally(() => socket.destroy());
}
