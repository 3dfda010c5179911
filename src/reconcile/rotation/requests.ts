import type { MlflowServer } from "../../api/server.ts";
import { administratorOf, authenticationMethod } from "../../features/authentication/index.ts";
import { excerpt } from "../../kube/excerpt.ts";
import { annotation } from "../../kube/names.ts";
import { dataKeys } from "../../model/names.ts";
import { type RotationName, rotationNames } from "../../model/rotation.ts";
import type { Cause } from "../cause.ts";

/** The tokens that the annotation `rotate` has for credentials, or why it requests nothing. */
export interface RotationRequests {
  readonly tokens: ReadonlyMap<RotationName, string>;
  readonly problem?: Cause;
}

const token = /^[A-Za-z0-9._-]{1,63}$/;

/** Reads `session:2026-11-30, webhook-key:2026-11-30`. With an invalid part, none of it is executed. */
export function rotationRequests(server: MlflowServer): RotationRequests {
  const tokens = new Map<RotationName, string>();
  const parts = (server.metadata.annotations?.[annotation.rotate] ?? "").split(",").map((part) => part.trim());
  for (const part of parts.filter((each) => each !== "")) {
    const [text, requested = "", ...more] = part.split(":");
    const name = rotationNames.find((each) => each === text);
    if (name === undefined || !token.test(requested) || more.length > 0) return rejected(server, formatProblem(part));
    if (tokens.has(name)) return rejected(server, `names ${name} more than once. Name it once`);
    const problem = unavailable(name, server);
    if (problem !== undefined) return rejected(server, problem);
    tokens.set(name, requested);
  }
  return { tokens };
}

function rejected({ metadata }: MlflowServer, problem: string): RotationRequests {
  const message = `The annotation ${annotation.rotate} of MlflowServer ${metadata.name} ${problem}. Nothing that it names is rotated`;
  return { tokens: new Map(), problem: { reason: "InvalidAnnotation", message } };
}

function formatProblem(part: string): string {
  return `has ${JSON.stringify(excerpt(part, 40))}, which is not NAME:TOKEN. NAME is one of ${rotationNames.join(", ")}; TOKEN is a new value for each rotation, such as the date: session:2026-11-30`;
}

/** Why the operator cannot rotate a credential of this server, with what to do instead. */
function unavailable(name: RotationName, server: MlflowServer): string | undefined {
  const { spec } = server;
  if (name === "admin-password") {
    const administrator = administratorOf(server);
    if (!administrator?.canLogIn) return `names ${name}, but no administrator of this server has a password. Remove it`;
    if (administrator.generated) return undefined;
    return `names ${name}, which is in your Secret ${administrator.secretName}. Change it there: MLflow gets each new password`;
  }
  if (name === "cookie" && !authenticationMethod(spec).sessionKeys.includes(dataKeys.cookieSecret))
    return `names ${name}, but this server has no oauth2-proxy. Remove it`;
  const own = spec.server?.sessionSecretRef?.name;
  return (
    own &&
    `names ${name}, which is in your Secret ${own} (spec.server.sessionSecretRef). Change it there, as the page Rotation describes`
  );
}
