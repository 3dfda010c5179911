import { once } from "node:events";
import { createServer } from "node:net";

/** Below the kernel's own range for outgoing connections (32768 on Linux), so that none of those takes a port that is free for a restart. */
const [lowest, highest] = [20_000, 32_000];

/** A loopback TCP port nobody listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    const server = createServer();
    try {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      return port;
    } catch {
      // Taken: try another.
    } finally {
      server.close();
    }
  }
}
