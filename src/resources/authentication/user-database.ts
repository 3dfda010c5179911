import type { UserApplication } from "../../features/database/database.ts";
import { backendDatabase, separateUserDatabase, type UserDatabaseSettings } from "../../features/database/index.ts";
import type { Inputs } from "../../model/inputs.ts";
import type { UserDatabase } from "./authentication.ts";

/** Returns the database of users: a separate one if the spec has one, otherwise that of the backend store. */
export function userDatabase(
  { server }: Pick<Inputs, "server">,
  settings: UserDatabaseSettings | undefined,
  path: string,
  application: UserApplication,
): Pick<UserDatabase, "application" | "database" | "isSeparate"> {
  const separate = separateUserDatabase(settings, path);
  return {
    application,
    database: separate ?? backendDatabase(server.spec).forUsers(application),
    isSeparate: separate !== undefined,
  };
}
