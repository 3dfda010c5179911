import assert from "node:assert/strict";
import type { V1Container } from "@kubernetes/client-node";
import { connectionTo } from "./connection.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** A dependency of servers, as one pod with its Service. */
export interface Dependency {
  readonly name: string;
  /** The port of the readiness check, and additional ports. */
  readonly port: number;
  readonly otherPorts?: readonly number[];
  readonly container: Pick<V1Container, "image" | "env" | "args">;
  /** The writable path; its content is lost with the pod. */
  readonly dataPath: string;
  readonly user: number;
  /** The CPU request. Default: `50m`. */
  readonly cpu?: string;
}

/** Starts a dependency with Pod Security "restricted", and returns the Service's address when it accepts connections. */
export async function startDependency(fixture: LiveFixture, dependency: Dependency): Promise<string> {
  const { name, port, otherPorts = [] } = dependency;
  const ports = [port, ...otherPorts].map((each) => ({ name: `port-${each}`, port: each }));
  await fixture.objects.create("Service", { metadata: { name }, spec: { selector: { app: name }, ports } });
  await startPod(fixture, dependency);
  const { spec } = await fixture.objects.the("Service", name);
  assert.ok(spec.clusterIP !== undefined);
  const address = spec.clusterIP;
  await waitUntil(() => connectionTo(address, port), 600);
  return address;
}

/** Starts only the pod, for an existing Service, and waits until it accepts connections. */
export async function startPod(fixture: LiveFixture, dependency: Dependency): Promise<void> {
  const { name, port, container, dataPath, user, cpu = "50m" } = dependency;
  await fixture.objects.create("Pod", {
    metadata: { name, labels: { app: name } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: user,
        fsGroup: user,
        seccompProfile: { type: "RuntimeDefault" },
      },
      volumes: [{ name: "data", emptyDir: {} }],
      containers: [
        {
          name,
          ...container,
          imagePullPolicy: "IfNotPresent",
          // Without a request it would get no CPU on a busy machine.
          resources: { requests: { cpu, memory: "128Mi" } },
          volumeMounts: [{ name: "data", mountPath: dataPath }],
          // Not a readiness probe: each of its connections would start a process of PostgreSQL.
          startupProbe: { tcpSocket: { port }, periodSeconds: 1, failureThreshold: 300 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  });
  await waitUntil(async () => {
    const { status } = await fixture.objects.the("Pod", name);
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    assert.equal(ready?.status, "True", `Pod/${name} is not ready: ${ready?.message}`);
  }, 600);
}
