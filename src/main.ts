#!/usr/bin/env node
import { basename } from "node:path";
import { text } from "node:stream/consumers";
import { UsageError } from "./cli/command.ts";
import { runCommandLine } from "./cli/command-line.ts";
import { messageOf } from "./kube/message-of.ts";
import { addSettings, settingsOf, userEnvironment } from "./settings.ts";
import { version } from "./version.ts";

// A reader that ends early, such as `head`, closes the pipe: the rest of the output is not wanted.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });

process.exitCode = await runCommandLine(process.argv.slice(2), {
  name: calledName(process.argv[1]),
  version,
  streams: {
    stdin: () => text(process.stdin),
    stdout: (output) => void process.stdout.write(output),
    stderr: (line) => console.error(line),
  },
  now: () => new Date(),
  environment: userEnvironment(),
  operator: { addOptions: addSettings, run },
});

/** As a plugin of kubectl the program is called kubectl-mlflow. */
function calledName(path = ""): string {
  return basename(path) === "kubectl-mlflow" ? "kubectl mlflow" : "mlflow-operator";
}

/** Runs the operator until a signal ends it (exit code 0), or until it cannot continue (1). */
async function run(options: Readonly<Record<string, string>>): Promise<number> {
  const { operator } = await import("./runtime/operator.ts");
  const { credentialsFor } = await import("./client/api-access.ts");
  const { jsonLog } = await import("./runtime/log.ts");
  let chosen: ReturnType<typeof settingsOf>;
  try {
    chosen = settingsOf(options);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  const credentials = credentialsFor(chosen.access);
  let host = "host" in chosen.access ? chosen.access.host : "";
  // The credentials of a pod can be mounted later. A kubeconfig must exist.
  if ("kubeconfig" in chosen.access) host = (await credentials.current()).server.hostname;
  const log = jsonLog(chosen.logLevel);
  const { ignoredProxy } = await import("./client/ignored-proxy.ts");
  const warning = ignoredProxy(chosen.proxyEnvironment, host);
  if (warning !== undefined) log.warn({}, warning);
  const running = await operator({
    ...chosen,
    version,
    credentials,
    log,
  });
  log.info(
    { version, healthPort: running.healthPort, namespaces: chosen.namespaces ?? "all" },
    "the operator has started",
  );
  const signal = new Promise<string>((resolve) => {
    process.once("SIGTERM", () => resolve("SIGTERM"));
    process.once("SIGINT", () => resolve("SIGINT"));
  });
  const failure = await Promise.race([running.failed, signal.then(() => undefined)]);
  if (failure !== undefined) log.error({}, failure);
  else log.info({}, "the operator ends");
  await running.stop();
  return failure === undefined ? 0 : 1;
}
