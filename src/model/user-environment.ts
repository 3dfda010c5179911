import type { V1EnvVar } from "@kubernetes/client-node";
import { isReserved } from "../api/environment.ts";
import type { EnvironmentSource, EnvironmentVariable } from "../api/fields/server-settings.ts";
import { literal } from "../kube/variable.ts";
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
  return withoutClusterNames(
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

const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]);
const exceptions = ["NO_PROXY", "no_proxy"];

/** Returns the variables for an HTTP proxy, which the other containers of the pod have, too. */
export function httpProxyOf(variables: readonly V1EnvVar[]): V1EnvVar[] {
  return variables.filter(({ name }) => [...proxies, ...exceptions].includes(name));
}

/** Adds the names of the cluster and of the pod itself to NO_PROXY: an HTTP proxy is for addresses outside the cluster. */
function withoutClusterNames(variables: readonly V1EnvVar[], { installation }: Sources): V1EnvVar[] {
  if (!variables.some(({ name }) => proxies.includes(name))) return [...variables];
  const inside = ["localhost", "127.0.0.1", "::1", "kubernetes.default", ".svc", `.${installation.clusterDomain}`];
  const others = variables.filter(({ name }) => !exceptions.includes(name));
  // Programs read either spelling, and a value from a Secret or ConfigMap cannot be extended.
  const given = variables.filter(({ name }) => exceptions.includes(name));
  return [
    ...others,
    ...exceptions.map((name) => {
      const own = given.find((each) => each.name === name) ?? given[0];
      if (own?.valueFrom !== undefined) return { ...own, name };
      const listed = (own?.value ?? "").split(",").map((each) => each.trim());
      return literal(name, [...new Set([...listed.filter((each) => each !== ""), ...inside])].join(","));
    }),
  ];
}
