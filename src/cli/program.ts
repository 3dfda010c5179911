import { Argument, type Command, Option, type OptionValues } from "commander";
import { defaultProxyImage } from "../api/images.ts";
import type { AccessOptions } from "./access.ts";
import type { CollectorOptions } from "./collector-options.ts";
import { CliCommand, collect, fullName } from "./command.ts";
import type { CommandContext } from "./context.ts";
import type { ConvertOptions } from "./convert.ts";
import type { DiffOptions } from "./diff.ts";
import type { DoctorOptions } from "./doctor.ts";
import type { RenderOptions } from "./render.ts";
import type { StatusOptions } from "./status.ts";
import type { ValidateOptions } from "./validate.ts";

/** What the command that ran has returned, and its name. */
export interface CommandResult {
  name: string;
  code: number;
}

/**
 * The tree of commands with options, help texts and actions. Help, completion and docs/cli.md come from it. An action loads its own
 * modules: `run` needs none of them.
 */
export function program(context: CommandContext): { readonly command: Command; readonly result: CommandResult } {
  const { name, version, streams } = context;
  const result: CommandResult = { name, code: 0 };
  const root = new CliCommand(name);
  root
    .description(
      "Runs MLflow tracking servers on Kubernetes, and shows the objects that the operator creates for a manifest.",
    )
    .configureOutput({ writeOut: streams.stdout, writeErr: streams.stdout, getOutHelpWidth: () => 120 })
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .exitOverride()
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .addHelpText("after", `\nUse '${name} help <command>' for the options and examples of a command.`);

  /** Adds a command with its examples. `work` returns the exit code. */
  function add(usage: string, description: string, examples: readonly string[] = []): Command {
    const command = root
      .command(usage)
      .description(description)
      .summary(description.split(/(?<=\.)\s/)[0] ?? "");
    if (examples.length > 0)
      command.addHelpText(
        "after",
        `\nExamples:\n${examples.map((example) => `  ${exampleText(name, example)}\n`).join("")}`,
      );
    return command;
  }

  function action<T extends object>(
    command: Command,
    work: (values: T, args: readonly string[]) => Promise<number>,
  ): void {
    command.action(async () => {
      result.name = fullName(command);
      result.code = await work(command.opts<T & OptionValues>(), command.processedArgs.flat());
    });
  }

  const run = add(
    "run",
    "Runs the operator. Each option can also be an environment variable: MLFLOW_OPERATOR_WORKERS for --workers.",
  );
  context.operator.addOptions(run);
  action(run, context.operator.run);

  const render = withInstallation(
    withFiles(
      add(
        "render",
        "Prints what the operator would apply for each MlflowServer of the files, without a cluster.\n\nGenerated secrets and values from Secrets are placeholders. The database migration is assumed to be complete. For workspaces, namespaces that a grant or an MlflowWorkspaceAccess names are assumed to have opted in; those of --namespaces are used with their labels. Documents of other kinds are ignored.",
        [
          "render mlflow.yaml",
          "render --summary mlflow.yaml",
          "render platform.yaml --namespaces namespaces.yaml -o json",
        ],
      ),
    ),
  )
    .option(
      "--namespaces <path>",
      "file with Namespaces, such as the output of kubectl get namespaces -o yaml; can be repeated",
      collect,
    )
    .addOption(namespaceOption("namespace of documents that name none (default: default)"))
    .option("--summary", "print one line for each object: kind, name and what it is for")
    .addOption(
      new Option("-o, --output <format>", "output format; wide with --summary").choices(["yaml", "json", "wide"]),
    );
  action(render, async (values: RenderOptions, files) => (await import("./render.ts")).render(values, files, context));

  const validate = withFiles(
    add(
      "validate",
      "Reports all problems of the MlflowServers, MlflowWorkspaceAccesses, MlflowBackups and MlflowBackupSchedules in files and directories, without a cluster.\n\nEach problem has its file, its line and what to write instead. Documents of other kinds are skipped. Exit code 1: there are problems.",
      ["validate mlflow.yaml", "validate -R clusters/", "helm template chart/ | {} validate -"],
    ),
  ).addOption(outputOption(["text", "json", "yaml"], "text"));
  action(validate, async (values: ValidateOptions, files) =>
    (await import("./validate.ts")).validateFiles(values, files, context),
  );

  const diff = withInstallation(
    withFiles(
      add(
        "diff",
        "Compares the objects that the operator would apply for the MlflowServers of the files with those in the cluster.\n\nAs kubectl diff it needs the permission to patch the objects (a dry run; nothing is changed), prints the differences by diff -u or the program of KUBECTL_EXTERNAL_DIFF, and exits 0 without differences, 1 with differences, and 2 for an error. Data of Secrets is never printed. The options for images and the domain must have the values of your operator's settings.",
        ["diff mlflow.yaml", "diff -f clusters/prod -R --context prod"],
      ),
    ),
  )
    .addOption(namespaceOption("namespace of documents that name none (default: the namespace of the context)"))
    .option("--context <name>", "context of the kubeconfig (default: the current context)")
    .option("--kubeconfig <path>", "kubeconfig (default: KUBECONFIG, else ~/.kube/config)");
  action(diff, async (values: DiffOptions, files) => (await import("./diff.ts")).diff(values, files, context));

  const status = withCluster(
    add(
      "status",
      "Prints the state of an MlflowServer on one screen.\n\nIt shows what the server waits for, version, replicas, URLs, stores, unhealthy conditions, pods and the last Events. It reads with your own permissions, and lists what it was not allowed to read. With --watch it prints again after each change, until you interrupt it; with -o json each is one line.",
      ["status tracking -n ml", "status tracking -n ml --watch", "status tracking -n ml -o json"],
    ).addArgument(new Argument("<server>", "name of the MlflowServer")),
  )
    .option("-w, --watch", "follow changes until interrupted")
    .addOption(outputOption(["text", "yaml", "json"], "text"));
  action(status, async (values: StatusOptions, [server = ""]) =>
    (await import("./status.ts")).status(values, server, context),
  );

  const doctor = withCluster(
    add(
      "doctor",
      "Checks an MlflowServer, and prints each problem with its effect and fix.\n\nIt reads with your own permissions, and tries the external URL and the issuers from your machine, without credentials, each request for at most 5 seconds and without an HTTP proxy. What it cannot check is listed with the reason. Exit code 1: there are problems.\n\nWith --bundle it also writes a YAML file for a support request: the server, its objects without Secrets, Events, the last lines of the logs, and the findings. It removes the values of the Secrets that you can read, and everything that looks like a secret; read the file before you share it.",
      ["doctor tracking -n ml", "doctor tracking -n ml --bundle tracking.yaml", "doctor tracking -n ml -o json"],
    ).addArgument(new Argument("<server>", "name of the MlflowServer")),
  )
    .option("--bundle <path>", "write a support bundle into this new file")
    .option("--ca <path>", "CA certificates of the external URL and of issuers, in addition to those of your machine")
    .addOption(outputOption(["text", "yaml", "json"], "text"));
  action(doctor, async (values: DoctorOptions, [server = ""]) =>
    (await import("./doctor.ts")).doctor(values, server, context),
  );

  const access = withCluster(
    withFiles(
      add(
        "access",
        "Prints who has which role in the workspace of a namespace, and which object grants it; for the MlflowServers of the namespace, the permissions of spec.access.\n\nFrom the cluster it also shows RoleBindings to the same ClusterRoles that others made. It does not know the members of groups, nor other roles: for one user see kubectl auth can-i.",
        ["access -n team-a", "access -n team-a -o wide", "access -n team-a platform.yaml team-a.yaml"],
      ),
    ),
  ).addOption(outputOption(["table", "wide", "yaml", "json"], "table"));
  action(access, async (values: AccessOptions, files) => (await import("./access.ts")).access(values, files, context));

  const whoCan = withCluster(
    withFileOptions(
      add(
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
  action(whoCan, async (values: AccessOptions, [verb = "", resource = "", name]) =>
    (await import("./access.ts")).whoCan(values, { verb, resource, name }, context),
  );

  const otelConfig = withCollector(
    withCluster(
      withFileOptions(
        add(
          "otel-config",
          "Prints a configuration of the OpenTelemetry Collector that receives OTLP and sends traces to an MlflowServer.\n\nThe credential follows from the server's authentication method: a user name and password (basic, ldap), client credentials of the issuer (oidc, oauth2Proxy), or the token of a ServiceAccount (kubernetes). The collector reads secrets from files; they are not printed. The server is read from the cluster, or from files.",
          [
            "otel-config tracking -n ml --experiment 1",
            "otel-config tracking -n ml --experiment 1 --manifests | kubectl apply -f -",
            "otel-config -f tracking.yaml --experiment 1 --manifests --collector agents/otel-collector",
          ],
        ).addArgument(new Argument("[server]", "name of the MlflowServer; not needed if the files contain only one")),
      ),
    ),
  );
  action(otelConfig, async (values: CollectorOptions, [server]) =>
    (await import("./otel-config.ts")).otelConfig(values, server, context),
  );

  const convert = withFiles(
    add(
      "convert",
      "Converts the values of a Helm chart into an MlflowServer.\n\nThe manifest goes to the standard output. The report of every value, and the list of Secrets to create, go to the standard error output. Passwords in the values are in neither. Exit code 2: a value is not mapped, or the manifest is not complete.",
      [
        "convert --from community -f values.yaml > mlflow.yaml",
        "convert --from bitnami -f values.yaml -f production.yaml --set tracking.replicaCount=2 --partial",
        "convert --from official -f platform.yaml --prefix mlflow --release tracking -n ml -o json",
      ],
    ),
  )
    .addOption(new Option("--from <chart>", "chart of the values").choices(chartIds).makeOptionMandatory())
    .option("--set <key=value>", "value in Helm's syntax; can be repeated", collect)
    .option("--set-string <key=value>", "text value in Helm's syntax; can be repeated", collect)
    .option("--prefix <key>", "key below which the values are, for a chart that has the chart as its dependency")
    .option("--release <name>", "name of the release, and of the MlflowServer", "mlflow")
    .addOption(namespaceOption("namespace of the MlflowServer"))
    .option("--partial", "exit with 0 although values are not mapped or the manifest is not complete")
    .addOption(outputOption(["yaml", "json"], "yaml"));
  action(convert, async (values: ConvertOptions, files) =>
    (await import("./convert.ts")).convert(values, files, context),
  );

  const completion = add("completion", "Prints a completion script for a shell.", [
    "completion bash > /etc/bash_completion.d/mlflow-operator",
    "completion zsh > ~/.zfunc/_mlflow-operator",
    "completion fish > ~/.config/fish/completions/mlflow-operator.fish",
  ]).addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]));
  action(completion, async (_values, [shell = ""]) => {
    streams.stdout((await import("./completion.ts")).completionScript(shell));
    return 0;
  });

  root
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      streams.stdout((await import("./completion.ts")).candidates(root, words));
    });

  action(add("version", "Prints the version."), async () => {
    streams.stdout(`${version}\n`);
    return 0;
  });

  const help = add("help", "Prints the help of a command.").addArgument(new Argument("[command]"));
  action(help, async (_values, [topic]) => {
    if (topic === undefined) root.outputHelp();
    else {
      const command = root.commands.find((each) => each.name() === topic);
      if (command === undefined) root.error(`unknown command '${topic}'`);
      else command.outputHelp();
    }
    return 0;
  });

  return { command: root, result };
}

/** The charts of `convert`; a test compares them with its tables, which only `convert` loads. */
export const chartIds = ["community", "bitnami", "official", "odh"];

/** An example begins with the name of the program, or has {} in its place. */
function exampleText(name: string, example: string): string {
  return example.includes("{}") ? example.replace("{}", name) : `${name} ${example}`;
}

/** Options that name files or directories. */
function withFileOptions(command: Command): Command {
  return command
    .option(
      "-f, --filename <path>",
      "file or directory with manifests, or - for standard input; can be repeated",
      collect,
    )
    .option("-R, --recursive", "read subdirectories as well");
}

/** The same, and files as arguments. */
function withFiles(command: Command): Command {
  return withFileOptions(
    command.argument("[files...]", "files or directories with manifests, or - for standard input"),
  );
}

/** Options that choose the cluster and the namespace, as kubectl has them. */
function withCluster(command: Command): Command {
  return command
    .addOption(namespaceOption("namespace (default: the namespace of the context)"))
    .option("--context <name>", "context of the kubeconfig (default: the current context)")
    .option("--kubeconfig <path>", "kubeconfig (default: KUBECONFIG, else ~/.kube/config)");
}

function namespaceOption(description: string): Option {
  return new Option("-n, --namespace <name>", description);
}

function outputOption(formats: readonly string[], preset: string): Option {
  return new Option("-o, --output <format>", "output format").choices(formats).default(preset);
}

/** Settings of the operator that change what it applies. */
function withInstallation(command: Command): Command {
  return command
    .option(
      "--image-repository <name>",
      "image of MLflow without tag, as in the operator's settings",
      "ghcr.io/mlflow-operator/mlflow-server",
    )
    .option("--image-digests <list>", "digests of this image by version, such as 3.17.2=sha256:…")
    .option("--proxy-image <image>", "image of oauth2-proxy", defaultProxyImage)
    .option("--cluster-domain <domain>", "DNS domain of Services", "cluster.local")
    .addOption(
      new Option(
        "--user-ids <source>",
        "user and group of the pods: those of the image, or those that OpenShift assigns",
      )
        .choices(["fixed", "namespace"])
        .default("fixed"),
    );
}

/** Options of `otel-config`. */
function withCollector(command: Command): Command {
  return command
    .requiredOption("--experiment <id>", "experiment that receives the traces: the number in the URL of its page")
    .option(
      "--manifests",
      "print all manifests: ServiceAccount, ConfigMap, RoleBinding, NetworkPolicy, Deployment, Service",
      false,
    )
    .option(
      "--collector <namespace/name>",
      "namespace and name of the collector and of its ServiceAccount (default: the first of spec.traces.writers, else otel-collector in the server's namespace)",
    )
    .option("--secret <name>", "Secret with the credential (default: <name of the collector>-mlflow)")
    .option("--workspace <namespace>", "workspace of the experiment (default: spec.workspaces.default)")
    .option("--token-url <url>", "token endpoint of the issuer, for client credentials")
    .option("--scope <scope>", "scope of the token request; can be repeated", collect)
    .option("--user <name>", "user name that Kubernetes has for the collector's token, for the RoleBinding")
    .option(
      "--server-ca <name>",
      "ConfigMap (key ca.crt) with the CA certificate of the server, in addition to public CAs",
    )
    .option("--image <image>", "image of the collector", "otel/opentelemetry-collector-contrib:0.158.0")
    .option("--cluster-domain <domain>", "DNS domain of Services", "cluster.local");
}
