import { z } from "zod";
import { postgresql } from "./postgresql.ts";

/** Users and permissions that MLflow stores, with any source of passwords. */
export const userStore = {
  defaultPermission: z
    .enum(["READ", "EDIT", "MANAGE", "NO_PERMISSIONS"])
    .meta({
      description:
        "Permission of users on experiments and models for which they have no other. Default: READ. Example: NO_PERMISSIONS.",
    })
    .optional(),
  database: z
    .strictObject({ postgresql })
    .meta({ description: "The database of users and permissions. Default: that of the backend store." })
    .optional(),
};
