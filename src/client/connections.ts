import * as http from "node:http";
import * as https from "node:https";
import { createSecureContext } from "node:tls";
import type { TlsMaterial } from "./credentials.ts";

/** The sockets of one API client, made with one set of TLS material. */
export interface Connections {
  /** For calls that end: kept alive, at most {@link maxCalls} at once; further calls wait for one. */
  readonly calls: http.Agent;
  /** For watches: one socket each, without limit. */
  readonly watches: http.Agent;
}

/** Calls in flight. The API server answers no faster with more (1,000 creates: 488/s with 1, 1,017/s with 16). */
export const maxCalls = 16;

/** Below the 90 s after which a Go server closes an idle connection, so that we are mostly the first. */
const idleMilliseconds = 60_000;

const tcpKeepAliveMilliseconds = 15_000;

export function connections(protocol: string, tls: TlsMaterial): Connections {
  const kept = { keepAlive: true, keepAliveMsecs: tcpKeepAliveMilliseconds };
  if (protocol === "http:") {
    return {
      calls: new http.Agent({ ...kept, maxSockets: maxCalls, timeout: idleMilliseconds }),
      watches: new http.Agent(kept),
    };
  }
  const { ca, cert, key, servername, rejectUnauthorized } = tls;
  const options = {
    ...kept,
    // One context for all sockets: the authorities are parsed once, and not again for each connection.
    secureContext: createSecureContext({ ca, cert, key }),
    rejectUnauthorized,
    ...(servername === undefined ? {} : { servername }),
  };
  return {
    calls: new https.Agent({ ...options, maxSockets: maxCalls, timeout: idleMilliseconds }),
    watches: new https.Agent(options),
  };
}

/** Ends what is idle and lets what is in use end with its call. */
export function retire(old: Connections): void {
  for (const agent of [old.calls, old.watches]) {
    agent.maxFreeSockets = 0;
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}

/** Ends all at once, calls and watches included. */
export function destroy(all: Connections): void {
  all.calls.destroy();
  all.watches.destroy();
}
