import { objectNames } from "../names.ts";
import { programTexts } from "../oidc/program-texts.ts";
import type { Mounted } from "../pod/mounted.ts";

/** The name by which `mlflow server --app-name` finds our application. */
export const oidcDoorName = "oidc-door";

/** Where Python finds it: nobody can write there. */
export const oidcDoorPath = "/etc/mlflow/oidc";

const entryPointsKey = "oidc-door-entry-points.txt";
const metadataKey = "oidc-door-metadata";
const distribution = "mlflow_oidc_door-1.dist-info";

/** The program, and the two files by which MLflow finds an application: those of an installed Python package. */
export const oidcDoorFiles: Readonly<Record<string, string>> = {
  ...programTexts,
  [entryPointsKey]: `[mlflow.app]\n${oidcDoorName} = mlflow_oidc_door:app\n`,
  [metadataKey]: "Metadata-Version: 2.1\nName: mlflow-oidc-door\nVersion: 1\n",
};

/** The same files again, as a folder of Python's, which the keys of a Secret alone cannot be. */
export function oidcDoor(server: string): Mounted {
  const items = [
    { key: "mlflow_oidc_door.py", path: "mlflow_oidc_door.py" },
    { key: entryPointsKey, path: `${distribution}/entry_points.txt` },
    { key: metadataKey, path: `${distribution}/METADATA` },
  ];
  return {
    volume: { name: "oidc", secret: { secretName: objectNames.auth(server), items, defaultMode: 0o440 } },
    mounts: [{ name: "oidc", mountPath: oidcDoorPath, readOnly: true }],
  };
}
