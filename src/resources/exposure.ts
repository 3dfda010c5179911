import type { MlflowServer } from "../api/server.ts";

/** What clients outside see of a server (`exposure.externalUrl`). */
export interface Outside {
  /** Without a slash at its end. */
  readonly url: string;
  /** Scheme, host and port, as browsers name it. */
  readonly origin: string;
  /** Host and port, as browsers send it. */
  readonly host: string;
  /** The path, which clients in the cluster leave out; empty where there is none. */
  readonly prefix: string;
}

/** Undefined where the spec names no URL for clients outside. */
export function outsideOf({ spec }: Pick<MlflowServer, "spec">): Outside | undefined {
  const url = spec.exposure?.externalUrl;
  if (url === undefined) return undefined;
  const { origin, host, pathname } = new URL(url);
  return { url, origin, host, prefix: pathname === "/" ? "" : pathname };
}
