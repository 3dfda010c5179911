import type { MlflowServerSpec } from "../../api/spec.ts";
import type { Inputs } from "../inputs.ts";
import type { Reference } from "../reference.ts";
import type { Authentication } from "./authentication.ts";
import { basicAuthentication, basicReferences } from "./basic.ts";

/** What the way of authentication that the spec names brings to the server. */
export function authenticationOf(inputs: Inputs): Authentication {
  const { basic } = inputs.server.spec.authentication;
  if (basic !== undefined) return basicAuthentication(inputs, basic);
  return { args: [], env: [], files: {}, mounted: [] };
}

/** The Secrets and ConfigMaps that it needs. */
export function authenticationReferences({ authentication }: MlflowServerSpec): Reference[] {
  const { basic } = authentication;
  return basic === undefined ? [] : basicReferences(basic);
}

/** How status and tables name it. */
export function authenticationName({ authentication }: MlflowServerSpec): string {
  return authentication.basic === undefined ? "Disabled" : "Basic";
}
