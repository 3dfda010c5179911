import { connect } from "node:net";

/** Resolves when something takes a connection there: a node hears of a ready pod a moment after everybody else. */
export function connectionTo(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: 5000 });
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("timeout", () => socket.destroy(new Error(`${address}:${port} takes no connection`)));
    socket.on("error", reject);
  });
}
