import type { Authentication } from "../authentication/authentication.ts";
import { outsideOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";
import { pythonApplication } from "../pod/python-application.ts";
import { literal } from "../pod/variable.ts";
import { signInPage, signInPageName } from "../proxy/sign-in-page.ts";
import { programTexts } from "./program-texts.ts";

/** Where Python finds the layer. */
const path = "/etc/mlflow/prefix";

const pythonPath = "PYTHONPATH";

/**
 * The same way of authentication below the prefix of `exposure.externalUrl` too: our layer takes its application's name, which
 * MLflow then finds first, and wraps it. Where there is no prefix, it is as it was.
 */
export function prefixed({ server }: Pick<Inputs, "server">, authentication: Authentication): Authentication {
  const outside = outsideOf(server);
  if (outside === undefined || outside.prefix === "") return authentication;
  const { args, env, files, mounted } = authentication;
  const named = args[args.indexOf("--app-name") + 1];
  const application = args.includes("--app-name") && named !== undefined ? named : "mlflow-prefix";
  const isProxied = server.spec.proxy !== undefined;
  const settings = { prefix: outside.prefix, host: outside.host, application, isProxied };
  const layer = pythonApplication({
    server: server.metadata.name,
    name: application,
    module: "mlflow_prefix",
    attribute: "create_app",
    files: { ...programTexts, "prefix.json": `${JSON.stringify(settings, undefined, 2)}\n` },
    path,
    volume: "prefix",
  });
  const further = env.find(({ name }) => name === pythonPath)?.value;
  return {
    ...authentication,
    args: args.includes("--app-name") ? args : ["--app-name", application, ...args],
    env: [
      ...env.filter(({ name }) => name !== pythonPath),
      // Of two applications of one name MLflow takes the one that is found first.
      literal(pythonPath, [path, ...(further === undefined ? [] : [further])].join(":")),
    ],
    files: {
      ...files,
      ...layer.files,
      ...(isProxied && { [signInPageName]: signInPage(outside) }),
    },
    mounted: [...mounted, layer.mounted],
  };
}
