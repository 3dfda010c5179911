import { inflateSync } from "node:zlib";
import type { V1PodTemplateSpec } from "@kubernetes/client-node";
import { apiVersion, type MlflowServer } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { MigrationRecord } from "../../src/api/status.ts";
import { administratorOf } from "../../src/features/authentication/index.ts";
import { resolve } from "../../src/features/resolve.ts";
import { encoded } from "../../src/kube/data.ts";
import type { ConfigMap, Deployment, Job, Manifest, Pod, Secret } from "../../src/kube/manifests.ts";
import { annotation, label, manager } from "../../src/kube/names.ts";
import { routeKinds } from "../../src/model/exposure.ts";
import type { Inputs } from "../../src/model/inputs.ts";
import { meshStepsOf } from "../../src/model/mesh.ts";
import type { Component } from "../../src/model/metadata.ts";
import { needsOptIn } from "../../src/model/workspaces.ts";
import { desired } from "../../src/resources/index.ts";

/** The spec that tests start from: everything on one volume, users with passwords. */
export const baseSpec: MlflowServerSpec = {
  version: "3.17.2",
  replicas: 1,
  backendStore: { sqlite: {} },
  artifactStore: { persistentVolume: {} },
  authentication: { basic: {} },
};

/** A server `team-a/demo`; a test sets only the difference. */
export function server(spec: Partial<MlflowServerSpec> = {}, more: Partial<MlflowServer> = {}): MlflowServer {
  return {
    apiVersion,
    kind: "MlflowServer",
    metadata: { name: "demo", namespace: "team-a", uid: "uid-of-demo", generation: 1 },
    spec: { ...baseSpec, ...spec },
    ...more,
  };
}

/** The database of the examples: PostgreSQL, with credentials in the Secret `db`. */
export const postgresql = {
  host: "db.example.com",
  database: "mlflow",
  credentialsSecretRef: { name: "db" },
};

export function secret(name: string, values: Readonly<Record<string, string>>): Secret {
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "team-a" }, data: encoded(values) };
}

export function configMap(name: string, data: Record<string, string>): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "team-a" }, data };
}

/** Inputs with keys that tests can recognise. */
export function inputs(of: MlflowServer = server(), references: readonly (Secret | ConfigMap)[] = []): Inputs {
  return {
    server: of,
    installation: {
      imageRepository: "example.com/mlflow",
      proxyImage: "example.com/oauth2-proxy:v7.15.6",
      clusterDomain: "cluster.local",
    },
    session: {
      flaskSecretKey: "flask-secret-key-of-tests",
      kekPassphrase: "kek-passphrase-of-tests",
      webhookKey: `${"w".repeat(43)}=`,
      ...(of.spec.authentication.oauth2Proxy !== undefined && { cookieSecret: "c".repeat(32) }),
    },
    mesh: new Set(meshStepsOf(of)),
    routes: new Set(routeKinds),
    workspaces: needsOptIn(of.spec) ? ["team-b"] : [],
    references: {
      secrets: new Map(references.flatMap((each) => (each.kind === "Secret" ? [[each.metadata.name, each]] : []))),
      configMaps: new Map(
        references.flatMap((each) => (each.kind === "ConfigMap" ? [[each.metadata.name, each]] : [])),
      ),
    },
    ...(administratorOf(of)?.generated && { generatedAdmin: { username: "admin", password: "generated-password" } }),
  };
}

/** All desired objects of a server. */
export function all(of: Inputs): Manifest[] {
  return Object.values(desired(resolve(of))).flat();
}

export function deploymentOf(of: Inputs): Deployment {
  const found = all(of).find((manifest): manifest is Deployment => manifest.kind === "Deployment");
  if (found === undefined) throw new Error("there is no Deployment");
  return found;
}

export function jobOf(of: Inputs): Job {
  const found = all(of).find((manifest): manifest is Job => manifest.kind === "Job");
  if (found === undefined) throw new Error("there is no Job");
  return found;
}

/** The migration record in the status for a completed Job. */
export function recordOf(job: Job): MigrationRecord {
  const { name, annotations, labels } = job.metadata;
  return {
    job: name,
    version: labels?.[label.version] ?? "",
    database: annotations?.[annotation.database] ?? "",
    phase: "Complete",
    attempt: "2026-01-01T02:00:00.000Z",
    startTime: "2026-01-01T02:00:00.000Z",
  };
}

/** A Job as the operator creates it, with the attempt in {@link recordOf}. */
export function startedJob(job: Job): Job {
  const annotations = { ...job.metadata.annotations, [annotation.attempt]: recordOf(job).attempt };
  return { ...job, metadata: { ...job.metadata, annotations } };
}

/** The same Job after its completion. */
export function completedJob(job: Job): Job {
  return { ...startedJob(job), status: { conditions: [{ type: "Complete", status: "True" }] } };
}

/** The environment of the first container, by name; references to Secrets as `secret/key`. */
export function environmentOf(workload: {
  readonly spec: { readonly template: V1PodTemplateSpec };
}): Record<string, string> {
  const variables = workload.spec.template.spec?.containers[0]?.env ?? [];
  return Object.fromEntries(
    variables.map(({ name, value, valueFrom }) => [
      name,
      valueFrom?.secretKeyRef ? `${valueFrom.secretKeyRef.name}/${valueFrom.secretKeyRef.key}` : (value ?? ""),
    ]),
  );
}

/** The files that the server's pod installs for Python, by path: programs, and the settings next to them. */
export function programsOf(of: Inputs): Record<string, string> {
  const { initContainers = [] } = deploymentOf(of).spec.template.spec ?? {};
  const { env = [], args = [] } = initContainers.find(({ name }) => name === "programs") ?? {};
  const packed = env.find(({ name }) => name === "MLFLOW_OPERATOR_PROGRAM")?.value ?? "";
  const settings = Array.from({ length: args.length / 2 }, (_, index) => [args[2 * index], args[2 * index + 1]]);
  const programs: Record<string, string> = JSON.parse(inflateSync(Buffer.from(packed, "base64")).toString("utf8"));
  return { ...programs, ...Object.fromEntries(settings) };
}

/** The text behind a key of a Secret among the desired objects. */
export function secretText(of: Inputs, name: string, key: string): string {
  const found = all(of).find(
    (manifest): manifest is Secret => manifest.kind === "Secret" && manifest.metadata.name === name,
  );
  return Buffer.from(found?.data?.[key] ?? "", "base64").toString("utf8");
}

/** A pod of the server, in this state. */
export function pod(component: Component, status: Pod["status"], metadata: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `demo-${component}-pod`,
      namespace: "team-a",
      labels: { [label.managedBy]: manager, [label.server]: "demo", [label.component]: component },
      ...metadata,
    },
    ...(status && { status }),
  };
}
