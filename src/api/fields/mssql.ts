import { z } from "zod";
import { addressRules, serverFields } from "./database-server.ts";
import { rules } from "./rule.ts";

/** A SQL Server database, with its credentials by reference. */
export const mssql = z
  .strictObject({
    ...serverFields({ defaultPort: 1433, longestName: 128 }),
    encryption: z
      .enum(["request", "require"])
      .meta({
        description:
          "TLS of FreeTDS, which does not verify the certificate; request also connects without. Default: require. Example: request.",
      })
      .optional(),
  })
  .meta({
    description:
      "A Microsoft SQL Server database, not tested. MLflow cannot store users in it, and the operator cannot back it up.",
    ...rules(...addressRules),
  });

export type Mssql = z.infer<typeof mssql>;
