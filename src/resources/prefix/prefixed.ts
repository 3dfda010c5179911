import type { Authentication } from "../authentication/authentication.ts";
import { outsideOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";
import { objectNames } from "../names.ts";
import type { Mounted } from "../pod/mounted.ts";
import { literal } from "../pod/variable.ts";
import { signInPage, signInPageName } from "../proxy/sign-in-page.ts";
import { programTexts } from "./program-texts.ts";

/** Where Python finds the layer: nobody can write there. */
const path = "/etc/mlflow/prefix";

const entryPointsKey = "prefix-entry-points.txt";
const metadataKey = "prefix-metadata";
const distribution = "mlflow_prefix-1.dist-info";
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
      ...programTexts,
      "prefix.json": `${JSON.stringify(settings, undefined, 2)}\n`,
      [entryPointsKey]: `[mlflow.app]\n${application} = mlflow_prefix:create_app\n`,
      [metadataKey]: "Metadata-Version: 2.1\nName: mlflow-prefix\nVersion: 1\n",
      ...(isProxied && { [signInPageName]: signInPage(outside) }),
    },
    mounted: [...mounted, layer(server.metadata.name)],
  };
}

function layer(server: string): Mounted {
  const items = [
    ...[...Object.keys(programTexts), "prefix.json"].map((key) => ({ key, path: key })),
    { key: entryPointsKey, path: `${distribution}/entry_points.txt` },
    { key: metadataKey, path: `${distribution}/METADATA` },
  ];
  return {
    volume: { name: "prefix", secret: { secretName: objectNames.auth(server), items, defaultMode: 0o440 } },
    mounts: [{ name: "prefix", mountPath: path, readOnly: true }],
  };
}
