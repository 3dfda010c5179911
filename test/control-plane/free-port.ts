import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** Below the ephemeral port range (from 32768 on Linux), so that no outgoing connection uses a port during a restart. */
const [lowest, highest] = [20_000, 32_000];

/**
 * Returns a free loopback TCP port that no other test process gets from here while this process runs, even while it is unused.
 * Even ports are returned; listening on the next odd port reserves one.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + 2 * Math.floor((Math.random() * (highest - lowest)) / 2);
    const sign = await listening(port + 1);
    const trial = sign && (await listening(port));
    trial?.close();
    if (trial) return port;
    sign?.close();
  }
}

/** Undefined if the port is in use. It does not keep the process running. */
async function listening(port: number): Promise<Server | undefined> {
  const server = createServer().unref();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return server;
  } catch {
    server.close();
    return undefined;
  }
}
