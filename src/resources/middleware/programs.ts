import { defaults } from "../../api/defaults.ts";
import { quantityOf } from "../../api/quantity.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";
import { isProxied } from "../../model/serving-port.ts";
import type { Authentication } from "../authentication/authentication.ts";
import type { Programs } from "../pod/program.ts";
import { middlewareFiles } from "../python-programs.ts";

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
  /** The path of `exposure.externalURL`, and its host. */
  readonly prefix: { readonly path: string; readonly host: string; readonly isProxied: boolean } | null;
}

/**
 * The name of the application that MLflow's own code knows, and finds twice: it uses the one that Python finds first, the operator's.
 * With `basic-auth` it also makes the first administrator.
 */
function nameOf(application: Authentication["application"]): string {
  if (application === "plain") return "mlflow-operator";
  return application === "kubernetes-identity" ? "kubernetes-auth" : application;
}

/** Arguments of `mlflow server`. */
export function applicationArguments({ application }: Pick<Authentication, "application">): string[] {
  return ["--app-name", nameOf(application)];
}

/** What `mlflow server` imports besides MLflow: the layer around its application, and what the authentication method adds. */
export function serverPrograms({ server }: Pick<Inputs, "server">, authentication: Authentication): Programs {
  const { application, programs } = authentication;
  return {
    programs: {
      ...middlewareFiles,
      ...programs?.programs,
      // The two files by which MLflow finds an application: those of an installed Python package.
      "mlflow_operator-1.dist-info/entry_points.txt": `[mlflow.app]\n${nameOf(application)} = mlflow_operator.app:create_app\n`,
      "mlflow_operator-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: mlflow-operator\nVersion: 1\n",
    },
    settings: {
      "mlflow_operator/settings.json": JSON.stringify(settings(server, application)),
      ...programs?.settings,
    },
  };
}

function settings(server: Inputs["server"], application: Authentication["application"]): Settings {
  const { host, prefix } = externalAddressOf(server) ?? { host: "", prefix: "" };
  const { artifactStore, server: process } = server.spec;
  return {
    application,
    corsOrigins: process?.corsAllowedOrigins ?? [],
    isProxied: isProxied(server.spec),
    aiGateway: process?.aiGateway === "Enabled",
    maxRequestBodyBytes: maxRequestBodyBytes({ server }),
    maxUploadBytes: bytesOf(artifactStore.maxUploadSize ?? defaults.maxUploadSize),
    additionalLocations: artifactStore.additionalLocations ?? [],
    prefix: prefix === "" ? null : { path: prefix, host, isProxied: isProxied(server.spec) },
  };
}

/** Of a request that is not an artifact. */
export function maxRequestBodyBytes({ server }: Pick<Inputs, "server">): number {
  return bytesOf(server.spec.server?.maxRequestBodySize ?? defaults.maxRequestBodySize);
}

/** The rules of the fields admit nothing but quantities. */
function bytesOf(quantity: string): number {
  return Math.floor(quantityOf(quantity) ?? 0);
}
