import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { TestContext } from "node:test";

/** A port of this machine that is forwarded to an address in the cluster. */
export interface Forwarding {
  readonly port: number;
  /** Forwards the port to this address, as with `kubectl port-forward`. */
  readonly forwardTo: (target: ForwardingTarget) => void;
}

export interface ForwardingTarget {
  readonly address: string;
  readonly port: number;
}

/** Reserves the port until the test ends, before the target exists: the target's configuration contains the port. */
export async function forwarding(context: TestContext): Promise<Forwarding> {
  let target: ForwardingTarget | undefined;
  const server = createServer((client) => {
    if (target === undefined) return void client.destroy();
    const remote = connect(target.port, target.address);
    client.pipe(remote).pipe(client);
    for (const [one, other] of [
      [client, remote],
      [remote, client],
    ] as const)
      one.on("error", () => other.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the forwarding server has no port");
  return {
    port: address.port,
    forwardTo: (chosen) => {
      target = chosen;
    },
  };
}
