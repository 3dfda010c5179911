import type { Draft } from "../support/objects.ts";

/** Where MLflow's own client runs, and as whom. */
export interface ClientPod {
  readonly name: string;
  /** MLflow's image: the client is the same package as the server. */
  readonly image: string;
  readonly trackingUri: string;
  /** A Secret with the keys username and password. They reach the client by its environment, never by arguments. */
  readonly loginSecret: string;
  /** A Secret whose key `ca.crt` the server's certificate is checked against; absent for http. */
  readonly authoritySecret?: string;
}

/**
 * A pod that waits, so that scripts can be run in it by `kubectl exec`, under the restricted standard. Only /tmp can be
 * written to.
 */
export function clientPod({ name, image, trackingUri, loginSecret, authoritySecret }: ClientPod): Draft {
  const login = (key: string) => ({ valueFrom: { secretKeyRef: { name: loginSecret, key } } });
  return {
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      volumes: [
        { name: "tmp", emptyDir: {} },
        ...(authoritySecret === undefined ? [] : [{ name: "authority", secret: { secretName: authoritySecret } }]),
      ],
      containers: [
        {
          name: "client",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["sleep", "infinity"],
          env: [
            { name: "MLFLOW_TRACKING_URI", value: trackingUri },
            { name: "MLFLOW_TRACKING_USERNAME", ...login("username") },
            { name: "MLFLOW_TRACKING_PASSWORD", ...login("password") },
            { name: "HOME", value: "/tmp" },
            ...(authoritySecret === undefined
              ? []
              : [{ name: "MLFLOW_TRACKING_SERVER_CERT_PATH", value: "/etc/authority/ca.crt" }]),
          ],
          // Without a request it would get no processor at all on a busy machine.
          resources: { requests: { cpu: "100m", memory: "256Mi" } },
          volumeMounts: [
            { name: "tmp", mountPath: "/tmp" },
            ...(authoritySecret === undefined
              ? []
              : [{ name: "authority", mountPath: "/etc/authority", readOnly: true }]),
          ],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  };
}
