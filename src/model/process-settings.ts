import type { V1EnvVar } from "@kubernetes/client-node";
import { defaults } from "../api/defaults.ts";
import { quantityOf } from "../api/quantity.ts";
import { httpProxyOf, httpProxyUrls } from "./http-proxy.ts";
import type { Inputs } from "./inputs.ts";
import { userEnvironment } from "./user-environment.ts";

/** The settings of the MLflow process, with defaults. */
export interface ProcessSettings {
  readonly workers: number;
  readonly hasJobExecution: boolean;
  readonly hasAiGateway: boolean;
  readonly logLevel: string;
  readonly extraArgs: readonly string[];
  /** Host headers and origins in addition to those of the server. */
  readonly allowedHosts: readonly string[];
  readonly corsOrigins: readonly string[];
  /** Of a request that is not an artifact. */
  readonly maxRequestBodyBytes: number;
  /** Of an artifact, as in the spec and in bytes. */
  readonly maxUploadSize: string;
  readonly maxUploadBytes: number;
  /** Locations of artifacts besides those of the server's own store. */
  readonly additionalLocations: readonly string[];
  /** Variables that the user sets. */
  readonly variables: readonly V1EnvVar[];
  /** Those for an HTTP proxy, which the other containers of the pod have, too. */
  readonly httpProxy: readonly V1EnvVar[];
  readonly httpProxyUrls: readonly string[];
}

/** Returns the settings of the MLflow process. */
export function processSettings(inputs: Pick<Inputs, "server" | "references" | "installation">): ProcessSettings {
  const { server: settings = {}, artifactStore } = inputs.server.spec;
  const { maxUploadSize = defaults.maxUploadSize, additionalLocations = [] } = artifactStore;
  const variables = userEnvironment(inputs);
  return {
    workers: settings.workers ?? 1,
    hasJobExecution: settings.jobExecution ?? false,
    hasAiGateway: settings.aiGateway === "Enabled",
    logLevel: settings.logLevel ?? "INFO",
    extraArgs: settings.extraArgs ?? [],
    allowedHosts: settings.allowedHosts ?? [],
    corsOrigins: settings.corsAllowedOrigins ?? [],
    maxRequestBodyBytes: bytesOf(settings.maxRequestBodySize ?? defaults.maxRequestBodySize),
    maxUploadSize,
    maxUploadBytes: bytesOf(maxUploadSize),
    additionalLocations,
    variables,
    httpProxy: httpProxyOf(variables),
    httpProxyUrls: httpProxyUrls(variables),
  };
}

/** The rules of the fields admit nothing but quantities. */
function bytesOf(quantity: string): number {
  return Math.floor(quantityOf(quantity) ?? 0);
}
