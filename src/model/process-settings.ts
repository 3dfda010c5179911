import type { V1EnvVar } from "@kubernetes/client-node";
import { defaults } from "../api/defaults.ts";
import { isReserved } from "../api/environment.ts";
import type { EnvironmentSource, EnvironmentVariable } from "../api/fields/server-settings.ts";
import { quantityOf } from "../api/quantity.ts";
import { httpProxyOf, httpProxyUrls, withHttpProxy } from "./http-proxy.ts";
import type { Inputs } from "./inputs.ts";

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

/**
 * Returns the variables of `server.env`, and one for each key of the sources of `server.envFrom`. With `envFrom` in the pod spec,
 * Kubernetes would read a source again when a container restarts, with unchecked new keys; a reference to a key does not
 * change. Reserved names are excluded, and names are unique: the API server rejects an apply with duplicate names.
 */
function userEnvironment(inputs: Sources): V1EnvVar[] {
  const { env = [], envFrom = [] } = inputs.server.spec.server ?? {};
  const byName = new Map<string, V1EnvVar>();
  for (const source of envFrom) for (const each of fromSource(source, inputs)) byName.set(each.name, each);
  for (const each of env) byName.set(each.name, asEnvVar(each));
  return withHttpProxy(
    [...byName.values()].filter(({ name }) => !isReserved(name)),
    inputs,
  );
}

type Sources = Pick<Inputs, "server" | "references" | "installation">;

/** Valid variable names; Kubernetes also ignores other keys of a source. */
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

function fromSource({ prefix = "", secretRef, configMapRef }: EnvironmentSource, { references }: Sources): V1EnvVar[] {
  const { name = "", optional } = secretRef ?? configMapRef ?? {};
  const data = (secretRef ? references.secrets.get(name) : references.configMaps.get(name))?.data ?? {};
  return Object.keys(data)
    .sort()
    .filter((key) => variableName.test(prefix + key))
    .map((key) => {
      const reference = { name, key, ...(optional !== undefined && { optional }) };
      return {
        name: prefix + key,
        valueFrom: secretRef ? { secretKeyRef: reference } : { configMapKeyRef: reference },
      };
    });
}

function asEnvVar({ name, value = "", valueFrom }: EnvironmentVariable): V1EnvVar {
  const { secretKeyRef, configMapKeyRef, fieldRef } = valueFrom ?? {};
  if (secretKeyRef) return { name, valueFrom: { secretKeyRef } };
  if (configMapKeyRef) return { name, valueFrom: { configMapKeyRef } };
  if (fieldRef) return { name, valueFrom: { fieldRef } };
  return { name, value };
}
