import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { TestContext } from "node:test";

/** A port of this machine that leads somewhere else in the end. */
export interface Forwarding {
  readonly port: number;
  /** From now on it leads to this address in the cluster, as with `kubectl port-forward`. */
  readonly forwardTo: (target: ForwardingTarget) => void;
}

export interface ForwardingTarget {
  readonly address: string;
  readonly port: number;
}

/** Takes the port until the test ends, before there is something to lead to: its number is written into what is led to. */
export async function forwarding(context: TestContext): Promise<Forwarding> {
  let target: ForwardingTarget | undefined;
  const way = createServer((near) => {
    if (target === undefined) return void near.destroy();
    const far = connect(target.port, target.address);
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on("error", () => other.destroy());
  });
  way.listen(0, "127.0.0.1");
  await once(way, "listening");
  context.after(() => way.close());
  const address = way.address();
  if (address === null || typeof address === "string") throw new Error("it listens to no port");
  return {
    port: address.port,
    forwardTo: (chosen) => {
      target = chosen;
    },
  };
}
