import { defaults } from "../../api/defaults.ts";
import { secondsOf } from "../../api/duration.ts";
import { programTexts } from "../identity/program-texts.ts";
import type { Inputs } from "../inputs.ts";
import { objectNames } from "../names.ts";
import type { Mounted } from "../pod/mounted.ts";
import { literal } from "../pod/variable.ts";
import { issuerAuthorities } from "../proxy/files.ts";
import { issuersOf } from "../proxy/issuers.ts";
import type { Authentication } from "./authentication.ts";

/** The name by which `mlflow server --app-name` finds our application. */
const name = "kubernetes-identity";

/** Where Python finds it: nobody can write there. */
const path = "/etc/mlflow/identity";

const entryPointsKey = "identity-entry-points.txt";
const metadataKey = "identity-metadata";
const distribution = "mlflow_kubernetes_identity-1.dist-info";

/**
 * Who calls is what the identity token says that the proxy passes on, verified once more: no header of a client's, and no list
 * that has to be taken apart.
 */
export function proxyIdentity(inputs: Inputs): Pick<Authentication, "args" | "env" | "files" | "mounted" | "packages"> {
  return {
    args: ["--app-name", name],
    env: [literal("MLFLOW_K8S_IDENTITY", JSON.stringify(settings(inputs))), literal("PYTHONPATH", path)],
    files: {
      ...programTexts,
      [entryPointsKey]: `[mlflow.app]\n${name} = mlflow_kubernetes_identity:create_app\n`,
      [metadataKey]: "Metadata-Version: 2.1\nName: mlflow-kubernetes-identity\nVersion: 1\n",
    },
    mounted: [programs(inputs.server.metadata.name), ...issuerAuthorities(inputs)],
    packages: ["mlflow_kubernetes_plugins", "jwt"],
  };
}

/** What the program is told. The proxy keeps a token for as long as it does not renew the session. */
function settings(inputs: Inputs) {
  const { authentication, proxy } = inputs.server.spec;
  const { usernameClaim = "sub", groupsClaim = "groups" } = authentication.kubernetes ?? {};
  return {
    issuers: issuersOf(inputs).map(({ issuer, audience, isCluster = false }) => ({ issuer, audience, isCluster })),
    authorities: issuerAuthorities(inputs).flatMap(({ mounts }) =>
      mounts.map(({ mountPath }) => `${mountPath}/ca.crt`),
    ),
    usernameClaim,
    groupsClaim,
    sessionSeconds: secondsOf(proxy?.session?.refresh ?? defaults.sessionRefresh),
  };
}

/** The programs as a folder of Python's, with the two files by which MLflow finds an application of an installed package. */
function programs(server: string): Mounted {
  const items = [
    ...Object.keys(programTexts).map((key) => ({ key, path: key })),
    { key: entryPointsKey, path: `${distribution}/entry_points.txt` },
    { key: metadataKey, path: `${distribution}/METADATA` },
  ];
  return {
    volume: { name: "identity", secret: { secretName: objectNames.auth(server), items, defaultMode: 0o440 } },
    mounts: [{ name: "identity", mountPath: path, readOnly: true }],
  };
}
