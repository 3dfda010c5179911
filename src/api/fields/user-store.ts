import { z } from "zod";
import { postgresql } from "./postgresql.ts";

/** What MLflow keeps of users, whoever checks their passwords. */
export const userStore = {
  defaultPermission: z
    .enum(["READ", "EDIT", "MANAGE", "NO_PERMISSIONS"])
    .meta({
      description: "What a user may do with experiments and models where nothing else is granted. Default: READ.",
    })
    .optional(),
  database: z
    .strictObject({ postgresql: postgresql("A PostgreSQL database.") })
    .meta({ description: "The database of users and permissions. Default: the backend store's." })
    .optional(),
};
