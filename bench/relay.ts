import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A TCP relay in front of an API server that counts connections. */
export interface CountingRelay {
  readonly url: string;
  /** Number of connections so far. */
  readonly accepted: () => number;
  readonly close: () => void;
}

export async function countingRelay(target: string): Promise<CountingRelay> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    const onward = connect(Number(port), hostname);
    for (const side of [socket, onward]) {
      open.add(side);
      side.setNoDelay(true);
      side.on("error", () => {});
      side.on("close", () => {
        open.delete(side);
        socket.destroy();
        onward.destroy();
      });
    }
    socket.pipe(onward).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("The relay has no port.");
  return {
    url: `https://127.0.0.1:${bound.port}`,
    accepted: () => accepted,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
