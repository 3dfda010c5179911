#!/usr/bin/env node
import { basename } from "node:path";
import { messageOf } from "./kube/errors.ts";
import { addSettings, type Settings, settings, settingsOf, userEnvironment, version } from "./settings.ts";

// A reader that ends early, such as `head`, closes the pipe: the rest of the output is not needed.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });

const args = process.argv.slice(2);
const operatorSettings = args[0] === "run" ? validSettings(args.slice(1)) : undefined;
process.exitCode = operatorSettings === undefined ? await commandLine() : await run(operatorSettings);

/** The settings of an operator whose options are valid. It does not load the command line, which takes 8 MiB. */
function validSettings(options: readonly string[]): Settings | undefined {
  try {
    return settings(options);
  } catch {
    return undefined;
  }
}

/** Runs another command, or reports wrong options. Returns the exit code. */
async function commandLine(): Promise<number> {
  const { UsageError } = await import("./cli/command.ts");
  const { runCommandLine } = await import("./cli/command-line.ts");
  const { text } = await import("node:stream/consumers");
  const called = basename(process.argv[1] ?? "", ".exe");
  // kubectl calls this name for the completion of its plugin.
  const isCompletion = called === "kubectl_complete-mlflow";
  return runCommandLine(isCompletion ? ["__complete", ...args] : args, {
    // As a plugin of kubectl the program is called kubectl-mlflow.
    name: called === "kubectl-mlflow" ? "kubectl mlflow" : "mlflow-operator",
    version,
    streams: {
      stdin: () => text(process.stdin),
      stdout: (output) => void process.stdout.write(output),
      stderr: (line) => console.error(line),
      isTerminal: process.stdout.isTTY,
    },
    now: () => new Date(),
    environment: userEnvironment(),
    interruption: () => {
      const controller = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => controller.abort());
      return controller.signal;
    },
    operator: {
      addOptions: addSettings,
      run: async (options) => {
        let chosen: Settings;
        try {
          chosen = settingsOf(options);
        } catch (error) {
          throw new UsageError(messageOf(error));
        }
        return run(chosen);
      },
    },
  });
}

/** Runs the operator until a signal ends it (exit code 0), or until it cannot continue (1). */
async function run(chosen: Settings): Promise<number> {
  const { operator } = await import("./runtime/operator.ts");
  const { credentialsFor } = await import("./kube/client/api-access.ts");
  const { jsonLog } = await import("./runtime/log.ts");
  const credentials = credentialsFor(chosen.access);
  let host = "host" in chosen.access ? chosen.access.host : "";
  try {
    // The credentials of a pod can be mounted later. A kubeconfig must exist.
    if ("kubeconfig" in chosen.access) host = (await credentials.current()).server.hostname;
  } catch (error) {
    console.error(`mlflow-operator run: ${messageOf(error)}`);
    return 1;
  }
  const log = jsonLog(chosen.logLevel);
  const { ignoredProxy } = await import("./kube/client/ignored-proxy.ts");
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
