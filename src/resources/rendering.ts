import type { ServerModel } from "../features/server-model.ts";
import type { Deployment, Manifest } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";

/** What distinguishes a change by a user from one that another version or other settings of the operator make. */
export interface Rendering {
  /** Hash of the pod templates and of the identity of the migration Job. */
  readonly workload: string;
  /** Hash of what they depend on besides the operator: the spec, referenced Secrets and ConfigMaps, generated keys. */
  readonly inputs: string;
}

/** Changes with what {@link userInputs} contains, so that hashes of two versions of the operator are not compared. */
const format = "1";

/** The annotation `rendering` of a server, from the manifests of its pods and Jobs. */
export function renderingOf(model: ServerModel, manifests: readonly Manifest[]): string {
  const pods = manifests.flatMap((manifest): unknown[] => {
    if (manifest.kind === "Job") return [manifest.metadata.name];
    return manifest.kind === "Deployment" ? [[manifest.metadata.name, manifest.spec.template]] : [];
  });
  const hash = (value: unknown) => model.keyedHash(canonical(value)).slice(0, 16);
  return [format, hash(pods), hash(userInputs(model))].join(".");
}

/** The manifest, with the annotation if it is the server's Deployment. */
export function withRendering(manifest: Manifest, { names }: ServerModel, rendering: string): Manifest {
  const { kind, metadata } = manifest;
  if (kind !== "Deployment" || metadata.name !== names.deployment) return manifest;
  const annotations = { ...metadata.annotations, [annotation.rendering]: rendering };
  return { ...manifest, metadata: { ...metadata, annotations } };
}

/** The rendering that a Deployment records; undefined if it has no record that this version of the operator can read. */
export function renderingIn(deployment: Pick<Deployment, "metadata">): Rendering | undefined {
  const [version, workload, inputs] = deployment.metadata.annotations?.[annotation.rendering]?.split(".") ?? [];
  return version === format && workload && inputs ? { workload, inputs } : undefined;
}

/**
 * The numbers of replicas, autoscaling and garbage collection are left out: they do not change the pod template; of the grants, pods have only whether there are any. So is the mesh but for what pods have of it: each of its
 * steps would otherwise write the Deployment.
 */
function userInputs({ source, mesh, content }: ServerModel): unknown {
  const { server, volumeClaim } = source;
  const {
    replicas: _,
    hibernate: __,
    mesh: ___,
    traces: ____,
    autoscaling: _____,
    garbageCollection: ______,
    upgrade: _______,
    artifactServer,
    access,
    ...spec
  } = server.spec;
  const { [annotation.restored]: restored, [annotation.restart]: restart } = server.metadata.annotations ?? {};
  const enrolment = [mesh.labels, mesh.steps.has("listener") && mesh.annotation];
  const ofArtifacts = artifactServer && { artifactServer: artifactServer.resources ?? {} };
  return {
    spec,
    ...ofArtifacts,
    ...(access && { hasAccess: true }),
    restored,
    restart,
    content,
    enrolment,
    volume: volumeClaim?.uid,
  };
}

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
