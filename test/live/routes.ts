/** One method of one route, with values for its parameters. */
export interface Route {
  readonly method: string;
  readonly path: string;
}

/**
 * Returns a Python program for an MLflow container that prints the routes of the running application as JSON: those of FastAPI
 * and those of the mounted Flask application. The application depends on variables that `mlflow server` sets: those that
 * the start program expects, or those of uvicorn's process.
 * Earlier releases of FastAPI copy the routes of an included router; later ones (0.165) keep the router.
 */
const programOf = (application: string) => `
import glob, json, os, sys
from mlflow_operator.start import expected
os.environ.update(expected(os.environ))
for process in glob.glob("/proc/[0-9]*"):
    try:
        if b"uvicorn" not in open(process + "/cmdline", "rb").read():
            continue
        pairs = open(process + "/environ", "rb").read().decode().split("\\0")
    except OSError:
        continue  # It has ended, as each probe's does.
    os.environ.update(pair.split("=", 1) for pair in pairs if "=" in pair)
${application}
from mlflow.server import app as flask_app
found = set()
def walk(routes, prefix=""):
    for route in routes:
        path = prefix + getattr(route, "path", "")
        for method in getattr(route, "methods", None) or []:
            found.add((method, path))
        walk(getattr(route, "routes", None) or [], path)
        included = getattr(route, "original_router", None)
        if included:
            walk(included.routes, path + route.include_context.prefix)
walk(create_app().routes)
fastapi = len(found)
for rule in flask_app.url_map.iter_rules():
    for method in rule.methods:
        found.add((method, rule.rule))
json.dump({"fastapi": fastapi, "routes": sorted(found)}, sys.stdout)
`;

/** The routes with basic authentication. */
export const routesProgram = programOf("from mlflow.server.auth import create_app");

/** The routes without MLflow's authentication. */
export const plainRoutesProgram = programOf("from mlflow.server.fastapi_app import app\ncreate_app = lambda: app");

/** The routes with the plugin for OpenID Connect. */
export const oidcRoutesProgram = programOf("from mlflow_oidc_auth.app import app\ncreate_app = lambda: app");

/** Parses the output of {@link routesProgram}, without OPTIONS and HEAD, which belong to another method. */
export function routesIn(output: string): { readonly fastapi: number; readonly routes: readonly Route[] } {
  const { fastapi, routes }: { fastapi: number; routes: [string, string][] } = JSON.parse(
    output.slice(output.indexOf('{"fastapi"')),
  );
  return {
    fastapi,
    routes: routes
      .filter(([method]) => method !== "HEAD" && method !== "OPTIONS")
      .map(([method, path]) => ({ method, path: path.replaceAll(/<[^>]*>|\{[^}]*\}/g, "1") })),
  };
}
