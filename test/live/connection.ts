import { connect } from "node:net";

/** Resolves when the address accepts a connection: kube-proxy updates its rules shortly after a pod is ready. */
export function connectionTo(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: 5000 });
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("timeout", () => socket.destroy(new Error(`${address}:${port} accepts no connection`)));
    socket.on("error", reject);
  });
}
