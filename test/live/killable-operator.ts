import type { TestContext } from "node:test";
import { type OperatorProcess, operatorProcess } from "../support/operator-process.ts";
import type { LiveFixture } from "./live-fixture.ts";

/** The operator in another process, with leader election, which is started again each time it is killed. */
export interface KillableOperator {
  /** Kills the process and starts another, which has to wait for the Lease of the killed one. */
  readonly kill: () => Promise<void>;
}

/** Replaces the operator of a fixture, and waits until it leads. */
export async function killableOperator(context: TestContext, fixture: LiveFixture): Promise<KillableOperator> {
  await fixture.stopOperator();
  const { operatorIdentity: identity, namespace, imageRepository } = fixture;
  const kubeconfig = await identity.kubeconfig();
  const args = [
    `--watch-namespaces=${namespace}`,
    `--image-repository=${imageRepository}`,
    "--leader-elect=true",
    // As in the chart: what a kill interrupts for a moment does not need an administrator.
    "--grace-period=120",
  ];
  const start = (): OperatorProcess => operatorProcess(context, kubeconfig, identity, args);
  let running = start();
  await running.logged(/^this process is the leader$/);
  return {
    kill: async () => {
      running.signal("SIGKILL");
      await running.ended;
      running = start();
    },
  };
}
