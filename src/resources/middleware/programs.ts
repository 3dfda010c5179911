import { type Authentication, authDirectory } from "../../features/authentication/authentication.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { dataKeys, metricsPort } from "../../model/names.ts";
import type { Programs } from "../pod/program.ts";
import { filesFrom, grantsFiles, middlewareFiles } from "../python-programs.ts";

/** The package's settings: python/src/mlflow_operator/app.py. */
interface Settings {
  readonly application: Authentication["application"];
  /** Origins of web pages whose preflights are answered. */
  readonly corsOrigins: readonly string[];
  /** Whether a proxy is before MLflow that passes preflights on. */
  readonly isProxied: boolean;
  readonly aiGateway: boolean;
  readonly maxRequestBodyBytes: number;
  readonly maxUploadBytes: number;
  /** Locations of artifacts besides those of the server's own store. */
  readonly additionalLocations: readonly string[];
  /** The file of `spec.access`, and the module that knows the groups of users. */
  readonly access: { readonly file: string; readonly groups: string | null } | null;
  /** The port of the metrics. */
  readonly metricsPort: number | null;
  /** The path of `exposure.externalURL`, and its host. */
  readonly prefix: { readonly path: string; readonly host: string; readonly isProxied: boolean } | null;
}

/**
 * The names of applications that MLflow's own code knows, and finds twice: it uses the one that Python finds first, the operator's.
 * With `basic-auth` it also makes the first administrator.
 */
const applicationNames = {
  plain: "mlflow-operator",
  "basic-auth": "basic-auth",
  "oidc-auth": "oidc-auth",
  "kubernetes-auth": "kubernetes-auth",
  "kubernetes-identity": "kubernetes-auth",
} as const satisfies Record<Authentication["application"], string>;

/** Arguments of `mlflow server`. */
export function serverArguments({ authentication, process }: ServerModel): string[] {
  return ["--app-name", applicationNames[authentication.application], ...process.extraArgs];
}

/** What `mlflow server` imports besides MLflow: the middleware around its application, and what the authentication method adds. */
export function serverPrograms({ authentication, process, proxy, addresses, monitoring }: ServerModel): Programs {
  const { application, programs, files, groups = null } = authentication;
  const { prefix, external } = addresses;
  const isProxied = proxy !== undefined;
  const settings: Settings = {
    application,
    corsOrigins: process.corsOrigins,
    isProxied,
    aiGateway: process.hasAiGateway,
    maxRequestBodyBytes: process.maxRequestBodyBytes,
    maxUploadBytes: process.maxUploadBytes,
    additionalLocations: process.additionalLocations,
    access: dataKeys.access in files ? { file: `${authDirectory}/${dataKeys.access}`, groups } : null,
    metricsPort: monitoring === undefined ? null : metricsPort,
    prefix: prefix === "" ? null : { path: prefix, host: external?.host ?? "", isProxied },
  };
  return {
    programs: {
      ...middlewareFiles,
      ...(settings.access !== null && grantsFiles),
      ...(programs && filesFrom(programs.files)),
      // The two files by which MLflow finds an application: those of an installed Python package.
      "mlflow_operator-1.dist-info/entry_points.txt": `[mlflow.app]\n${applicationNames[application]} = mlflow_operator.app:create_app\n`,
      "mlflow_operator-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: mlflow-operator\nVersion: 1\n",
    },
    settings: {
      "mlflow_operator/settings.json": JSON.stringify(settings),
      ...programs?.settings,
    },
  };
}
