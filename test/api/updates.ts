import {
  byLoadBalancer,
  changed,
  type Document,
  fullest,
  type Json,
  smallest,
  smallestInFull,
  sqliteWithS3,
} from "./documents.ts";

type Changes = Readonly<Record<string, Json | undefined>>;

/** `from` is valid and stored; the change to `to` is rejected. */
export interface WrongUpdate {
  readonly title: string;
  readonly from: Document;
  readonly to: Document;
  readonly field: string;
  readonly says: string;
}

const volume = "spec.artifactStore.persistentVolume";

const update =
  (from: Document) =>
  (title: string, changes: Changes, field: string, says: string): WrongUpdate => ({
    title,
    from,
    to: changed(from, changes),
    field,
    says,
  });

const ofVolume = update(changed(smallestInFull, { [`${volume}.accessModes`]: undefined }));

/** Valid on creation, rejected as updates. */
export const wrongUpdates: readonly WrongUpdate[] = [
  ofVolume("a smaller volume", { [`${volume}.size`]: "511Gi" }, volume, "a volume cannot shrink"),
  ofVolume(
    "a volume back to its initial size",
    { [`${volume}.size`]: undefined },
    volume,
    "restore the old size (10Gi if none was set)",
  ),
  update(byLoadBalancer)(
    "no class of a load balancer",
    { "spec.service.loadBalancerClass": undefined },
    "spec.service.loadBalancerClass",
    "leave out type until",
  ),
  update(smallest)("a volume below the initial size", { [`${volume}.size`]: "9Gi" }, volume, "a volume cannot shrink"),
  ofVolume(
    "another storage class",
    { [`${volume}.storageClassName`]: "slow" },
    volume,
    "storage class of a volume cannot change: create a second MlflowServer",
  ),
  ofVolume(
    "no storage class",
    { [`${volume}.storageClassName`]: undefined },
    volume,
    "storage class of a volume cannot change",
  ),
  update(smallest)(
    "an added storage class",
    { [`${volume}.storageClassName`]: "fast" },
    volume,
    "storage class of a volume cannot change",
  ),
  ofVolume(
    "other access modes",
    { [`${volume}.accessModes`]: ["ReadWriteMany"] },
    volume,
    "access modes of a volume cannot change",
  ),
  update(sqliteWithS3)(
    "a smaller volume for SQLite",
    { "spec.backendStore.sqlite.size": "1Gi" },
    "spec.backendStore.sqlite",
    "a volume cannot shrink",
  ),
  update(sqliteWithS3)(
    "a volume for SQLite back to its initial size",
    { "spec.backendStore.sqlite.size": undefined },
    "spec.backendStore.sqlite",
    "1Gi if none was set",
  ),
  update(smallest)(
    "from sqlite to a database",
    { "spec.backendStore": { uriSecretRef: { name: "a", key: "b" } } },
    "spec.backendStore",
    "cannot move between sqlite and another database",
  ),
  update(smallestInFull)(
    "from a database to sqlite",
    { "spec.backendStore": { sqlite: {} } },
    "spec.backendStore",
    "cannot move between sqlite and another database",
  ),
  update(smallest)(
    "from a volume to a bucket",
    { "spec.artifactStore": { s3: { bucket: "models" } } },
    "spec.artifactStore",
    "cannot move between persistentVolume and a bucket",
  ),
  update(sqliteWithS3)(
    "from a bucket to a volume",
    { "spec.artifactStore": { persistentVolume: {} }, "spec.backendStore.sqlite": {} },
    "spec.artifactStore",
    "cannot move between persistentVolume and a bucket",
  ),
];

/** Accepted as updates. */
export const rightUpdates: readonly Pick<WrongUpdate, "title" | "from" | "to">[] = [
  {
    title: "an existing claim in place of a volume",
    from: changed(smallest, { [`${volume}.size`]: "50Gi" }),
    to: changed(smallest, { [volume]: { existingClaim: "restored" } }),
  },
  {
    title: "another cloud",
    from: sqliteWithS3,
    to: changed(sqliteWithS3, { "spec.artifactStore": { gcs: { bucket: "models" } } }),
  },
  { title: "a larger volume", from: smallest, to: changed(smallest, { [`${volume}.size`]: "20Gi" }) },
  {
    title: "the initial size in other words",
    from: smallest,
    to: changed(smallest, { [`${volume}.size`]: "10240Mi" }),
  },
  {
    title: "the initial access mode in words",
    from: smallest,
    to: changed(smallest, { [`${volume}.accessModes`]: ["ReadWriteOnce"] }),
  },
  {
    title: "from basic to disabled",
    from: smallest,
    to: changed(smallest, { "spec.authentication": { none: {} } }),
  },
  {
    title: "from disabled to basic",
    from: smallestInFull,
    to: changed(smallestInFull, { "spec.authentication": { basic: {} } }),
  },
  {
    title: "from uriSecretRef to postgresql",
    from: smallestInFull,
    to: changed(smallestInFull, {
      "spec.backendStore": { postgresql: { host: "db", database: "mlflow", credentialsSecretRef: { name: "db" } } },
    }),
  },
  { title: "hibernation", from: fullest, to: changed(fullest, { "spec.hibernate": true }) },
];
