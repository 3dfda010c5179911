import { programTexts } from "../oidc/program-texts.ts";
import { pythonApplication } from "../pod/python-application.ts";

/** The name by which `mlflow server --app-name` finds our application. */
export const oidcDoorName = "oidc-door";

/** Where Python finds it. */
export const oidcDoorPath = "/etc/mlflow/oidc";

/** The plugin with what it lacks. */
export function oidcDoor(server: string) {
  return pythonApplication({
    server,
    name: oidcDoorName,
    module: "mlflow_oidc_door",
    attribute: "app",
    files: programTexts,
    path: oidcDoorPath,
    volume: "oidc",
    keys: "oidc-door",
  });
}
