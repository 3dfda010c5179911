import type { MlflowServer } from "../api/server.ts";
import { administratorOf } from "../features/authentication/index.ts";
import type { Owned, Secret } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { rotationsIn } from "../model/rotation.ts";
import type { Cause } from "./cause.ts";
import type { Cluster } from "./cluster.ts";
import type { ObservedState } from "./observed-state.ts";
import { deploymentOf } from "./server-workload.ts";

/** A generated Secret that a server used and that is missing or has missing keys. */
export interface LostSecret {
  readonly name: string;
  /** The missing keys; empty if the Secret itself is missing. */
  readonly keys: readonly string[];
}

/** Keys that MLflow needs to decrypt data in its database: until a rotation has encrypted it again, also the previous ones. */
function encryptionKeys(secret: Secret | undefined): string[] {
  const rotations = rotationsIn(secret?.metadata.annotations?.[annotation.rotations]);
  return [
    dataKeys.kekPassphrase,
    dataKeys.webhookKey,
    ...(rotations["encryption-key"]?.phase === "Switching"
      ? [dataKeys.kekVersion, dataKeys.acceptedKekPassphrase, dataKeys.acceptedKekVersion]
      : []),
    ...(rotations["webhook-key"]?.phase === "Switching" ? [dataKeys.acceptedWebhookKey] : []),
  ];
}

/**
 * The generated Secrets of a server that has run and that are missing. A Secret that is not in the cache is read from the API
 * server, because it may only have lost its label.
 */
export async function lostSecrets(
  cluster: Pick<Cluster, "read">,
  server: MlflowServer,
  owned: readonly Owned[],
): Promise<LostSecret[]> {
  if (server.status?.version === undefined) return [];
  const session = objectNames.session(server.metadata.name);
  const admin = objectNames.admin(server.metadata.name);
  const generated = [
    ...(server.spec.server?.sessionSecretRef === undefined ? [{ name: session, keysOf: encryptionKeys }] : []),
    ...(administratorOf(server)?.generated ? [{ name: admin, keysOf: () => [dataKeys.password] }] : []),
  ];
  const found = await Promise.all(
    generated.map(async ({ name, keysOf }): Promise<LostSecret[]> => {
      if (!wasUsed(name, server, owned) || isReplaced(name, server)) return [];
      const namespace = server.metadata.namespace;
      const live =
        owned.find((object): object is Secret => object.kind === "Secret" && object.metadata.name === name) ??
        (await cluster.read({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace } }));
      if (live === undefined || live.metadata.deletionTimestamp !== undefined) return [{ name, keys: [] }];
      const missing = live.kind === "Secret" ? keysOf(live).filter((key) => live.data?.[key] === undefined) : [];
      return missing.length === 0 ? [] : [{ name, keys: missing }];
    }),
  );
  return found.flat();
}

/** Whether pods use the Secret. Without a Deployment this is assumed of a server that has run. */
function wasUsed(secret: string, server: MlflowServer, owned: readonly Owned[]): boolean {
  const deployment = deploymentOf({ owned, server });
  if (deployment === undefined) return true;
  const containers = deployment.spec.template.spec?.containers ?? [];
  return containers.some(({ env = [] }) => env.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === secret));
}

/** Whether an administrator has confirmed the loss of the Secret. */
function isReplaced(secret: string, { metadata }: MlflowServer): boolean {
  const names = metadata.annotations?.[annotation.replaceLostSecrets]?.split(",") ?? [];
  return names.some((name) => name.trim() === secret);
}

/** The causes if generated Secrets are lost: new keys would hide the loss. */
export function lostSecret({ server, lostSecrets: lost = [] }: ObservedState): Cause[] {
  const { namespace, name: serverName } = server.metadata;
  return lost.map(({ name, keys }) => {
    const what = keys.length === 0 ? `Secret ${name} is missing` : `Secret ${name} has lost ${keys.join(", ")}`;
    const effect =
      name === objectNames.admin(serverName)
        ? "A new password would not be the one that MLflow has stored."
        : "What MLflow has encrypted with it (credentials of gateways and webhooks) cannot be read with new keys.";
    return {
      reason: "GeneratedSecretLost",
      message: `${what}, which the operator generated in namespace ${namespace}. ${effect} Restore the Secret from a backup, or confirm the loss: kubectl annotate mlflowserver ${serverName} -n ${namespace} --overwrite ${annotation.replaceLostSecrets}=${name}, and remove the annotation once the Secret is back.`,
    };
  });
}
