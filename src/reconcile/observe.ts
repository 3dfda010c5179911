import type { MlflowServer } from "../api/server.ts";
import { administratorOf } from "../features/authentication/index.ts";
import { referencesOf } from "../features/references.ts";
import { resolve } from "../features/resolve.ts";
import { decoded } from "../kube/data.ts";
import type { ConfigMap, Owned, Secret } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import type { ContentSummary } from "../model/content.ts";
import { routeKinds } from "../model/exposure.ts";
import type { Credentials, Inputs, Installation, References } from "../model/inputs.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { rotationsIn } from "../model/rotation.ts";
import { workspacesOf } from "../model/workspaces.ts";
import { backupPrerequisites } from "./backup/backup-prerequisites.ts";
import { runningBackups } from "./backup/running-backups.ts";
import type { Cluster } from "./cluster.ts";
import { exposureOf } from "./exposure.ts";
import { randomPassword } from "./generated-keys.ts";
import { lostSecrets } from "./lost-secrets.ts";
import { meshOf } from "./mesh.ts";
import type { ObservedState } from "./observed-state.ts";
import { mostReferenced, referencesSize } from "./oversized.ts";
import { ownershipOf } from "./ownership.ts";
import { rotationStep } from "./rotation/rotation.ts";
import { serverEndpoints } from "./server-endpoints.ts";
import { sessionKeys } from "./session-keys.ts";
import { tracesEndpoints } from "./traces-endpoints.ts";
import { upgradeBackupInputs } from "./upgrade-backup.ts";
import { upgradeMembers } from "./upgrade-members.ts";
import { silentObjects, type Warnings } from "./warnings.ts";

/** Reads the state of a reconciliation. Secret values are read if they are stored, and generated here otherwise. */
export async function observe(
  cluster: Cluster,
  server: MlflowServer,
  installation: Installation,
  now: Date,
): Promise<ObservedState> {
  const { name, namespace } = server.metadata;
  const labelled = cluster.owned({ namespace, name });
  const isUnmanaged = (object: Owned) => object.kind !== "Pod" && ownershipOf(object, server) === "unmanaged";
  const owned = labelled.filter((object) => !isUnmanaged(object));
  const unmanaged = labelled.filter(isUnmanaged);
  const isSidecar = server.spec.mesh?.istio.mode === "Sidecar";
  const isAvailable =
    cluster.knows("AuthorizationPolicy", namespace) === true &&
    (isSidecar || cluster.knows("Gateway", namespace) === true);
  const otherResources = server.spec.mesh !== undefined && isAvailable ? cluster.otherResources(namespace) : undefined;
  const probes = () => cluster.probes(tracesEndpoints(server, owned));
  const warnings = await readWarnings(cluster, owned, now);
  const mesh = meshOf({ server, owned, unmanaged, otherResources, isAvailable, probes, evidence: { warnings, now } });
  const endpoints = serverEndpoints(server, owned);
  const known = new Set(routeKinds.filter((kind) => cluster.knows(kind, namespace) === true));
  const exposure = exposureOf({ server, owned, competitors: cluster.competitors({ namespace, name }), known });
  const references = await read(cluster, server, namespace);
  const inputs: Inputs = {
    server,
    installation,
    references,
    ...volumeClaimOf(server, owned),
    mesh: mesh.steps,
    ...(mesh.keepsPolicies && { keepsMeshPolicies: true }),
    routes: exposure.routes,
    workspaces: workspacesOf(server, cluster.optedInNamespaces(namespace)),
    session: sessionKeys(server, storedSession(server, owned, references)),
    ...(administratorOf(server)?.generated && { generatedAdmin: generatedAdmin(server, owned) }),
  };
  const model = resolve(inputs);
  const [runningBackup] = runningBackups(cluster.backupObjects({ namespace, name }));
  const isBackedUp = runningBackup !== undefined;
  const { inputs: next, ...rotation } = rotationStep({ inputs, model, owned, warnings, isBackedUp, now });
  return {
    server,
    owned,
    unmanaged,
    mesh: mesh.condition,
    ...(endpoints && { endpoints: { results: cluster.endpointResults(endpoints) } }),
    exposure,
    references,
    rotation,
    model: next === inputs ? model : resolve(next),
    installation,
    isMutatedByAdmission: (manifest, live) => cluster.isMutatedByAdmission(manifest, live),
    repeatedConflict: (manifest, path) => cluster.repeatedConflict(manifest, path),
    upgradeBackup: await upgradeBackupInputs(cluster, server, owned),
    lostSecrets: await lostSecrets(cluster, server, owned),
    workspaces: cluster.workspaces(server),
    granted: cluster.granted({ namespace, name }),
    warnings,
    upgradeMembers: () => upgradeMembers(cluster),
    ...(await readRestore(cluster, server)),
    runningBackup,
    now,
  };
}

/** Reads the backup of `spec.restore` until it is restored. */
async function readRestore(cluster: Cluster, server: MlflowServer): Promise<Pick<ObservedState, "restore">> {
  const { namespace } = server.metadata;
  const name = server.spec.restore?.backupRef.name;
  if (name === undefined || server.status?.restore !== undefined) return {};
  const backup = cluster.backup({ namespace, name });
  if (backup?.status?.phase !== "Completed") return { restore: { backup, missing: [] } };
  const missing = await backupPrerequisites(cluster, backup, `MlflowBackup/${name} is not restored`);
  return { restore: { backup, missing } };
}

async function readWarnings(cluster: Cluster, owned: readonly Owned[], now: Date): Promise<Warnings> {
  const silent = silentObjects(owned, now);
  const read = await Promise.all(silent.map((object) => cluster.warnings(object)));
  return new Map(silent.map(({ metadata }, index) => [metadata.uid ?? "", read[index] ?? []]));
}

/** The number of objects that are read concurrently. */
const concurrentReads = 4;

/** Reads references up to the maximum size for one server. */
async function read(cluster: Cluster, server: MlflowServer, namespace: string): Promise<References> {
  const secrets = new Map<string, Secret & ContentSummary>();
  const configMaps = new Map<string, ConfigMap & ContentSummary>();
  const named = [...Map.groupBy(referencesOf(server.spec), ({ kind, name }) => `${kind}/${name}`).values()];
  for (
    let at = 0;
    at < named.length && referencesSize({ secrets, configMaps }) <= mostReferenced;
    at += concurrentReads
  ) {
    await Promise.all(
      named.slice(at, at + concurrentReads).map(async (references) => {
        const [first] = references;
        if (first === undefined) return;
        const { kind, name } = first;
        const keys = new Set(references.flatMap((reference) => reference.keys));
        if (kind === "Secret") {
          const secret = await cluster.secret(namespace, name, keys);
          if (secret !== undefined) secrets.set(name, secret);
        } else {
          const configMap = await cluster.configMap(namespace, name, keys);
          if (configMap !== undefined) configMaps.set(name, configMap);
        }
      }),
    );
  }
  return { secrets, configMaps };
}

/** The Secret with the keys of the server: the generated one, or that of the spec. */
function storedSession(server: MlflowServer, owned: readonly Owned[], references: References): Secret | undefined {
  const own = server.spec.server?.sessionSecretRef;
  if (own !== undefined) return references.secrets.get(own.name);
  return secretNamed(owned, objectNames.session(server.metadata.name));
}

function generatedAdmin(server: MlflowServer, owned: readonly Owned[]): Credentials {
  const stored = secretNamed(owned, objectNames.admin(server.metadata.name));
  const nextPassword = decoded(stored?.data, dataKeys.nextPassword);
  const rotations = rotationsIn(stored?.metadata.annotations?.[annotation.rotations]);
  return {
    username: decoded(stored?.data, dataKeys.username) ?? "admin",
    password: decoded(stored?.data, dataKeys.password) ?? randomPassword(),
    ...(nextPassword !== undefined && { nextPassword }),
    ...(Object.keys(rotations).length > 0 && { rotations }),
  };
}

function volumeClaimOf(server: MlflowServer, owned: readonly Owned[]): Pick<Inputs, "volumeClaim"> {
  const name = objectNames.volumeClaim(server.metadata.name);
  const claim = owned.find((object) => object.kind === "PersistentVolumeClaim" && object.metadata.name === name);
  return claim === undefined ? {} : { volumeClaim: { uid: claim.metadata.uid } };
}

function secretNamed(owned: readonly Owned[], name: string): Secret | undefined {
  return owned.find((object): object is Secret => object.kind === "Secret" && object.metadata.name === name);
}
