import { Argument } from "commander";
import type { AccessOptions } from "./access.ts";
import type { CollectorOptions } from "./collector-options.ts";
import { outputOption, withCluster, withCollector, withFileOptions, withFiles } from "./command-options.ts";
import type { Commands } from "./commands.ts";
import type { CommandContext } from "./context.ts";
import type { DoctorOptions } from "./doctor.ts";
import type { StatusOptions } from "./status.ts";

/** Adds the commands about servers in a cluster: status, doctor, access, who-can and otel-config. */
export function addServerCommands(commands: Commands, context: CommandContext): void {
  addStatus(commands, context);
  addDoctor(commands, context);
  addAccess(commands, context);
  addWhoCan(commands, context);
  addOtelConfig(commands, context);
}

function addStatus(commands: Commands, context: CommandContext): void {
  const status = withCluster(
    commands
      .add(
        "status",
        "Prints the state of an MlflowServer on one screen.\n\nIt shows what the server waits for, version, replicas, URLs, stores, unhealthy conditions, pods and the last Events. It reads with your own permissions, and lists what it was not allowed to read. With --watch it prints again after each change, until you interrupt it; with -o json each is one line.",
        ["status tracking -n ml", "status tracking -n ml --watch", "status tracking -n ml -o json"],
      )
      .addArgument(new Argument("<server>", "name of the MlflowServer")),
  )
    .option("-w, --watch", "follow changes until interrupted")
    .addOption(outputOption(["text", "yaml", "json"], "text"));
  commands.action(status, async (values: StatusOptions, [server = ""]) =>
    (await import("./status.ts")).status(values, server, context),
  );
}

function addDoctor(commands: Commands, context: CommandContext): void {
  const doctor = withCluster(
    commands
      .add(
        "doctor",
        "Checks an MlflowServer, and prints each problem with its effect and fix.\n\nIt reads with your own permissions, and tries the external URL and the issuers from your machine, without credentials, each request for at most 5 seconds and without an HTTP proxy. What it cannot check is listed with the reason. Exit code 1: there are problems.\n\nWith --bundle it also writes a YAML file for a support request: the server, its objects without Secrets, Events, the last lines of the logs, and the findings. It removes the values of the Secrets that you can read, and everything that looks like a secret; read the file before you share it.",
        ["doctor tracking -n ml", "doctor tracking -n ml --bundle tracking.yaml", "doctor tracking -n ml -o json"],
      )
      .addArgument(new Argument("<server>", "name of the MlflowServer")),
  )
    .option("--bundle <path>", "write a support bundle into this new file")
    .option("--ca <path>", "CA certificates of the external URL and of issuers, in addition to those of your machine")
    .addOption(outputOption(["text", "yaml", "json"], "text"));
  commands.action(doctor, async (values: DoctorOptions, [server = ""]) =>
    (await import("./doctor.ts")).doctor(values, server, context),
  );
}

function addAccess(commands: Commands, context: CommandContext): void {
  const access = withCluster(
    withFiles(
      commands.add(
        "access",
        "Prints who has which role in the workspace of a namespace, and which object grants it; for the MlflowServers of the namespace, the permissions of spec.access.\n\nFrom the cluster it also shows RoleBindings to the same ClusterRoles that others made. It does not know the members of groups, nor other roles: for one user see kubectl auth can-i.",
        ["access -n team-a", "access -n team-a -o wide", "access -n team-a platform.yaml team-a.yaml"],
      ),
    ),
  ).addOption(outputOption(["table", "wide", "yaml", "json"], "table"));
  commands.action(access, async (values: AccessOptions, files) =>
    (await import("./access.ts")).access(values, files, context),
  );
}

function addWhoCan(commands: Commands, context: CommandContext): void {
  const whoCan = withCluster(
    withFileOptions(
      commands
        .add(
          "who-can",
          "Prints who is granted a verb on a resource in the workspace of a namespace, or by spec.access of its MlflowServers. Exit code 1: no grant allows it.",
          [
            "who-can update experiments -n team-a",
            "who-can delete experiments team-a/forecast -n mlflow",
            "who-can delete registeredmodels -n team-a -f platform.yaml",
          ],
        )
        .addArgument(new Argument("<verb>", "get, list, create, update or delete"))
        .addArgument(new Argument("<resource>", "such as experiments, registeredmodels or gatewayendpoints/use"))
        .addArgument(new Argument("[name]", "name of an experiment or registered model, for spec.access")),
    ),
  ).addOption(outputOption(["table", "wide", "yaml", "json"], "table"));
  commands.action(whoCan, async (values: AccessOptions, [verb = "", resource = "", name]) =>
    (await import("./access.ts")).whoCan(values, { verb, resource, name }, context),
  );
}

function addOtelConfig(commands: Commands, context: CommandContext): void {
  const otelConfig = withCollector(
    withCluster(
      withFileOptions(
        commands
          .add(
            "otel-config",
            "Prints a configuration of the OpenTelemetry Collector that receives OTLP and sends traces to an MlflowServer.\n\nThe credential follows from the server's authentication method: a user name and password (basic, ldap), client credentials of the issuer (oidc, oauth2Proxy), or the token of a ServiceAccount (kubernetes). The collector reads secrets from files; they are not printed. The server is read from the cluster, or from files.",
            [
              "otel-config tracking -n ml --experiment 1",
              "otel-config tracking -n ml --experiment 1 --manifests | kubectl apply -f -",
              "otel-config -f tracking.yaml --experiment 1 --manifests --collector agents/otel-collector",
            ],
          )
          .addArgument(new Argument("[server]", "name of the MlflowServer; not needed if the files contain only one")),
      ),
    ),
  );
  commands.action(otelConfig, async (values: CollectorOptions, [server]) =>
    (await import("./otel-config.ts")).otelConfig(values, server, context),
  );
}
