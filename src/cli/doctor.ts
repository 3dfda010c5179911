import { readFile, writeFile } from "node:fs/promises";
import type { MlflowServer } from "../api/server.ts";
import { find } from "../kube/client/api-client.ts";
import { messageOf } from "../kube/errors.ts";
import { resourcePath } from "../kube/kinds.ts";
import { type ClusterOptions, withCluster } from "./cluster-access.ts";
import type { CommandContext } from "./context.ts";
import { readBundle, supportBundle } from "./doctor/bundle.ts";
import { diagnose } from "./doctor/checks.ts";
import { doctorText } from "./doctor/finding.ts";
import { readFacts } from "./doctor/read-facts.ts";
import { structured, yamlOf } from "./output.ts";

export interface DoctorOptions extends ClusterOptions {
  readonly output: "text" | "yaml" | "json";
  readonly bundle?: string;
  readonly ca?: string;
}

/** Limit of each request to another address than the API server. */
const probeSeconds = 5;

/** The command `doctor`. Exit code 1: there are problems. */
export async function doctor(options: DoctorOptions, name: string, context: CommandContext): Promise<number> {
  const { streams, now, version } = context;
  const ca = options.ca === undefined ? [] : [await readFile(options.ca, "utf8")];
  return withCluster(options, context, async ({ client, namespace }) => {
    const server = await find<MlflowServer>(client, resourcePath("MlflowServer", namespace, name));
    if (server === undefined) throw new Error(`MlflowServer/${name} not found in namespace ${namespace}`);
    const probe = { ca, seconds: probeSeconds, now };
    const keepsValues = options.bundle !== undefined;
    const { facts, content } = await readFacts({ client, server, probe, keepsValues });
    const findings = diagnose(facts);
    streams.stdout(
      options.output === "text"
        ? doctorText(findings)
        : structured({ namespace, name, checks: findings }, options.output),
    );
    if (options.bundle !== undefined) {
      const read = await readBundle(client, facts);
      const bundle = {
        version,
        created: now().toISOString(),
        server,
        findings,
        ...read,
        notRead: [...read.notRead, ...content.notRead],
      };
      for (const each of content.notRead)
        streams.stderr(`${each}: what looks like a secret is removed from the bundle, but not these values.`);
      await writeNew(options.bundle, yamlOf(supportBundle(bundle, content.secrets)));
      streams.stderr(`The support bundle is in ${options.bundle}. Read it before you share it.`);
    }
    const hasProblem = findings.some((each) => each.findings.some(({ result }) => result === "problem"));
    return hasProblem ? 1 : 0;
  });
}

/** Writes a file that only the user can read. Throws if it exists. */
async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new Error(`the support bundle cannot be written: ${messageOf(error)}`, { cause: error });
  }
}
