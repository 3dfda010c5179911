import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../../test/control-plane/free-port.ts";
import { eventually } from "../../test/support/eventually.ts";
import { startContainer, stopProcess } from "./container.ts";
import { rootFileSystem } from "./root-file-system.ts";

const run = promisify(execFile);

export const password = "of-the-bench";

export interface Postgresql {
  readonly port: number;
  readonly createDatabase: (name: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts PostgreSQL on loopback with one role, `postgres`. */
export async function startPostgresql(folder: string, say: (line: string) => void): Promise<Postgresql> {
  const root = await rootFileSystem("postgres", say);
  const port = await freePort();
  const data = join(folder, "volumes", "data");
  await mkdir(data, { recursive: true });
  await run("chown", ["-R", "999:999", data]);
  const env = {
    POSTGRES_PASSWORD: password,
    PATH: "/usr/lib/postgresql/current/bin:/usr/local/bin:/usr/sbin:/usr/bin:/bin",
  };
  const container = {
    name: "postgresql",
    command: [
      "entrypoint",
      "-p",
      String(port),
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      "-c",
      "max_connections=1000",
    ],
    volumeMounts: [{ name: "data", mountPath: "/var/lib/postgresql/data" }],
  };
  const child = await startContainer(
    { root, folder, secrets: [], env, user: "999:999" },
    { containers: [] },
    container,
  );
  const sql = (statement: string) =>
    run(
      "chroot",
      [
        root,
        "/usr/lib/postgresql/current/bin/psql",
        "-h",
        "127.0.0.1",
        "-p",
        String(port),
        "-U",
        "postgres",
        "-c",
        statement,
      ],
      {
        env: { PGPASSWORD: password, PATH: env.PATH },
      },
    );
  await eventually(() => sql("SELECT 1"), 300);
  return {
    port,
    createDatabase: async (name) => void (await sql(`CREATE DATABASE ${name}`)),
    // It waits for its clients with SIGTERM.
    close: () => stopProcess(child, "SIGINT"),
  };
}
