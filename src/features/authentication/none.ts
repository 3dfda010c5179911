import { type Authentication, type AuthenticationMethod, noSettings } from "./authentication.ts";

/** MLflow without users and permissions. */
export const plain: Authentication = { application: "plain", env: [], files: {}, mounted: [] };

/** No authentication: every client that reaches the server is allowed access. */
export function noMethod(): AuthenticationMethod {
  return { ...noSettings, displayName: "None", pod: () => plain };
}
