import { z } from "zod";
import { defaults } from "../defaults.ts";
import { postgresql } from "./postgresql.ts";
import { secretKey } from "./reference.ts";
import { demanded, exactlyOneOf, mayBeEmpty, rules } from "./rule.ts";
import { objectName, size } from "./text.ts";
import { volumeRules } from "./volume.ts";

/** Where MLflow keeps experiments, runs, traces and models. */
export const backendStore = z
  .strictObject({
    sqlite: z
      .strictObject({
        size: size(
          `Size of the volume. Default: ${defaults.sqliteVolumeSize}. It may grow later, where the storage class allows it.`,
        ).optional(),
        storageClassName: objectName("Storage class of the volume. Default: the cluster's default class.").optional(),
      })
      .meta({
        description: "A SQLite file on a volume: for one replica, to try MLflow out. Example: sqlite: {}.",
        ...mayBeEmpty,
        ...rules(...volumeRules(defaults.sqliteVolumeSize)),
      })
      .optional(),
    postgresql: postgresql("A PostgreSQL database.").optional(),
    uriSecretRef: secretKey(
      "A Secret key with a whole SQLAlchemy URI, for what the other alternatives do not cover. User and password in it must be percent-encoded.",
    ).optional(),
    migration: z
      .enum(["Automatic", "Manual"])
      .meta({
        description:
          "Automatic (default): a Job brings the database schema to the version before its pods start. " +
          "Manual: you do that (`mlflow db upgrade`); the Job only checks, unless connectionCheck is false.",
      })
      .optional(),
    connectionCheck: z
      .boolean()
      .meta({
        description: "Whether a Job shows that the database answers before pods start. Default: true.",
      })
      .optional(),
  })
  .meta({
    description:
      "The database of experiments, runs, traces and models. Exactly one of sqlite, postgresql and uriSecretRef.",
    ...demanded("write sqlite: {} to try MLflow out, else postgresql with host, database and credentials"),
    ...rules(
      exactlyOneOf(["sqlite", "postgresql", "uriSecretRef"], "MLflow has one backend store"),
      {
        rule: "!has(self.connectionCheck) || self.connectionCheck || (has(self.migration) && self.migration == 'Manual')",
        message: "connectionCheck: false needs migration: Manual, since an automatic migration connects in any case",
      },
      {
        rule: "has(self.sqlite) == has(oldSelf.sqlite)",
        message:
          "a server cannot move between sqlite and another database: nothing would copy its data. Create a second MlflowServer and move the data there",
      },
    ),
  });

export type BackendStore = z.infer<typeof backendStore>;
