import { z } from "zod";
import { defaults } from "../defaults.ts";
import { mssql } from "./mssql.ts";
import { mysql } from "./mysql.ts";
import { replicatedPostgresql } from "./postgresql.ts";
import { secretKey } from "./reference.ts";
import { exactlyOneOf, mayBeEmpty, requiredRemedy, rules } from "./rule.ts";
import { objectName, size } from "./text.ts";
import { volumeRules } from "./volume.ts";

/** The database of experiments, runs, traces and models. */
export const backendStore = z
  .strictObject({
    sqlite: z
      .strictObject({
        size: size(
          `Size of the volume. Default: ${defaults.sqliteVolumeSize}. It can be increased later if the storage class allows expansion. Example: 5Gi.`,
        ).optional(),
        storageClassName: objectName(
          "StorageClass of the volume. Default: the default class of the cluster. Example: fast.",
        ).optional(),
      })
      .meta({
        description: "A SQLite file on a volume: for evaluation, with one replica. Example: sqlite: {}.",
        ...mayBeEmpty,
        ...rules(...volumeRules(defaults.sqliteVolumeSize)),
      })
      .optional(),
    postgresql: replicatedPostgresql.optional(),
    mysql: mysql.optional(),
    mssql: mssql.optional(),
    uriSecretRef: secretKey(
      "A key of a Secret with a complete SQLAlchemy URI, for databases that the other fields do not cover. User and password in it must be percent-encoded. Example: {name: mlflow-db, key: uri}.",
    ).optional(),
    migration: z
      .enum(["Automatic", "Manual"])
      .meta({
        description:
          "Automatic (default): a Job migrates the database schema to the version before its pods start. " +
          "Manual: you run `mlflow db upgrade`; the Job only checks the schema, unless connectionCheck is false. Example: Manual.",
      })
      .optional(),
    connectionCheck: z
      .boolean()
      .meta({
        description:
          "Whether a Job checks that the database is reachable before pods start. Default: true. Example: false.",
      })
      .optional(),
  })
  .meta({
    description:
      "The database of experiments, runs, traces and models. Exactly one of sqlite, postgresql, mysql, mssql and uriSecretRef. Example: {sqlite: {}}.",
    ...requiredRemedy("write sqlite: {} for evaluation, or postgresql with host, database and credentials"),
    ...rules(
      exactlyOneOf(["sqlite", "postgresql", "mysql", "mssql", "uriSecretRef"], "MLflow has one backend store"),
      {
        rule: "!has(self.connectionCheck) || self.connectionCheck || (has(self.migration) && self.migration == 'Manual')",
        message: "connectionCheck: false needs migration: Manual, since an automatic migration connects in any case",
      },
      {
        rule: "has(self.sqlite) == has(oldSelf.sqlite)",
        message:
          "a server cannot move between sqlite and another database, since the operator does not copy data: create a second MlflowServer and copy the data there",
      },
    ),
  });

export type BackendStore = z.infer<typeof backendStore>;
