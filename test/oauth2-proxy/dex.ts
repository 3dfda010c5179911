import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { freePort } from "../control-plane/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { certificateFor } from "../support/oidc/certificate.ts";
import { webSession } from "../support/oidc/web-session.ts";

/** Why a test of Dex is skipped, or false. No package registry has it, so tests use the one on the PATH. */
export const missingDex =
  !(process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, "dex"))) && "no dex on PATH";

/** A real Dex, with one client `mlflow` and one user `alice@example.com` in the group `mlflow`. */
export interface Dex {
  readonly url: string;
  /** Its certificate authority, in PEM. */
  readonly ca: string;
  readonly password: string;
  readonly stop: () => Promise<void>;
}

export async function startDex(clientSecret: string, redirectUri: string): Promise<Dex> {
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-dex-"));
  const certificate = await certificateFor("127.0.0.1");
  const port = await freePort();
  const url = `https://127.0.0.1:${port}/dex`;
  await writeFile(join(directory, "tls.crt"), certificate.cert);
  await writeFile(join(directory, "tls.key"), certificate.key);
  const config = {
    issuer: url,
    storage: { type: "memory" },
    web: { https: `127.0.0.1:${port}`, tlsCert: "tls.crt", tlsKey: "tls.key" },
    oauth2: { skipApprovalScreen: true },
    staticClients: [{ id: "mlflow", secret: clientSecret, redirectURIs: [redirectUri], name: "MLflow" }],
    enablePasswordDB: true,
    staticPasswords: [
      {
        email: "alice@example.com",
        // bcrypt of the password below.
        hash: "$2b$10$aaaaaaaaaaaaaaaaaaaaaOdEIH1wLOa6qNND9JwTXTKUtSpLZMNV6",
        username: "alice",
        userID: "00000000-0000-0000-0000-000000000001",
        groups: ["mlflow"],
      },
    ],
  };
  // JSON is YAML.
  await writeFile(join(directory, "config.yaml"), JSON.stringify(config));
  const child = spawn("dex", ["serve", "config.yaml"], { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const stop = async () => {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
    await rm(directory, { recursive: true, force: true });
  };
  const discovery = `${url}/.well-known/openid-configuration`;
  try {
    await eventually(() => webSession({ ca: certificate.ca }).open(discovery));
  } catch (error) {
    await stop();
    throw new Error(`Dex does not serve:\n${log}`, { cause: error });
  }
  return { url, ca: certificate.ca, password: "of-alice-12345", stop };
}
