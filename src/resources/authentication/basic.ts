import { defaults } from "../../api/defaults.ts";
import { secondsOf } from "../../api/duration.ts";
import type { Authentication as AuthenticationSpec } from "../../api/fields/authentication.ts";
import type { Reference } from "../../features/common/reference.ts";
import { separateUserDatabase } from "../../features/database/index.ts";
import type { Inputs } from "../../model/inputs.ts";
import { administratorReferences } from "./administrator.ts";
import type { Authentication } from "./authentication.ts";
import { withUserStore } from "./user-store.ts";

type Basic = NonNullable<AuthenticationSpec["basic"]>;

const path = "spec.authentication.basic";

/** Returns MLflow's basic authentication, with its own users and passwords. */
export function basicAuthentication(inputs: Inputs, basic: Basic): Authentication {
  const cacheSeconds = secondsOf(basic.passwordCacheTTL ?? defaults.passwordCacheTTL);
  return withUserStore(inputs, { ...basic, path }, "mlflow.server.auth:authenticate_request_basic_auth", cacheSeconds);
}

/** Returns the Secrets and ConfigMaps that it references. */
export function basicReferences({ database, adminCredentialsSecretRef }: Basic): Reference[] {
  return [
    ...(separateUserDatabase(database, `${path}.database`)?.references ?? []),
    ...administratorReferences(adminCredentialsSecretRef, `${path}.adminCredentialsSecretRef`),
  ];
}
