import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { TestContext } from "node:test";

/** Lays the way from a port of this machine to an address in the cluster, as `kubectl port-forward` does, until the test ends. */
export async function forward(
  context: TestContext,
  from: number,
  to: { readonly address: string; readonly port: number },
): Promise<void> {
  const way = createServer((near) => {
    const far = connect(to.port, to.address);
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on("error", () => other.destroy());
  });
  way.listen(from, "127.0.0.1");
  await once(way, "listening");
  context.after(() => way.close());
}
