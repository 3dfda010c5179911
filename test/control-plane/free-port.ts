import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** Below the kernel's own range for outgoing connections (32768 on Linux), so that none of those takes a port that is free for a restart. */
const [lowest, highest] = [20_000, 32_000];

/**
 * A loopback TCP port nobody listens on now, and which nobody else gets from here while this process runs: until it is used, and
 * between two uses, another test would find it free. Each even port is given, and its odd neighbour held as the sign that it is.
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

/** Undefined where the port is taken. It keeps no process alive. */
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
