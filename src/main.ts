#!/usr/bin/env node
import { settings, settingsHelp } from "./settings.ts";
import { version } from "./version.ts";

const help = `mlflow-operator ${version}: runs secured MLflow tracking servers on Kubernetes.

  mlflow-operator run            run the operator
  mlflow-operator render         print what the operator would apply, without a cluster
  mlflow-operator access         tell who has which role in a workspace, and through which grant
  mlflow-operator who-can        tell who may do something in a workspace
  mlflow-operator otel-config    print a configuration of the OpenTelemetry Collector for a server's traces
  mlflow-operator version

Each has --help.

${settingsHelp}`;

const [command, ...args] = process.argv.slice(2);
switch (command) {
  case "run":
    process.exitCode = await run();
    break;
  case "render": {
    const { render } = await import("./cli/render.ts");
    process.exitCode = await render(args, await streams());
    break;
  }
  case "access":
  case "who-can": {
    const { access } = await import("./cli/access.ts");
    process.exitCode = await access(command, args, await streams(), version, new Date());
    break;
  }
  case "otel-config": {
    const { otelConfig } = await import("./cli/otel-config.ts");
    process.exitCode = await otelConfig(args, await streams(), version);
    break;
  }
  case "version":
  case "--version":
    console.log(version);
    break;
  case "help":
  case "--help":
  case "-h":
  case undefined:
    console.log(help);
    break;
  default:
    console.error(`mlflow-operator: there is no command ${command}.\n\n${help}`);
    process.exitCode = 2;
}

/** Those of this process. */
async function streams() {
  const { text } = await import("node:stream/consumers");
  return {
    stdin: () => text(process.stdin),
    stdout: (output: string) => void process.stdout.write(output),
    stderr: (line: string) => console.error(line),
  };
}

/** Runs until a signal asks it to end (exit code 0), or until it cannot go on (1). */
async function run(): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(settingsHelp);
    return 0;
  }
  const { operator } = await import("./runtime/operator.ts");
  const { credentialsFor } = await import("./client/api-access.ts");
  const { jsonLog } = await import("./runtime/log.ts");
  let chosen: ReturnType<typeof settings>;
  try {
    chosen = settings(args);
  } catch (error) {
    console.error(`mlflow-operator run: ${error instanceof Error ? error.message : error}\n\n${settingsHelp}`);
    return 2;
  }
  const credentials = credentialsFor(chosen.access);
  let host = "host" in chosen.access ? chosen.access.host : "";
  try {
    // What a pod is given may come late; a file that somebody has named does not.
    if ("kubeconfig" in chosen.access) host = (await credentials.current()).server.hostname;
  } catch (error) {
    console.error(`mlflow-operator run: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
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
