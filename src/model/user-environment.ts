import type { V1EnvVar } from "@kubernetes/client-node";
import { isReserved } from "../api/environment.ts";
import type { EnvironmentSource, EnvironmentVariable } from "../api/fields/server-settings.ts";
import { withHttpProxy } from "./http-proxy.ts";
import type { Inputs } from "./inputs.ts";

/**
 * Returns the variables of `server.env`, and one for each key of the sources of `server.envFrom`. With `envFrom` in the pod spec,
 * Kubernetes would read a source again when a container restarts, with unchecked new keys; a reference to a key does not
 * change. Reserved names are excluded, and names are unique: the API server rejects an apply with duplicate names.
 */
export function userEnvironment(inputs: Sources): V1EnvVar[] {
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
