import type { Draft } from "../support/objects.ts";

/** Where MLflow's own client runs, and as whom. */
export interface ClientPod {
  readonly name: string;
  /** MLflow's image: the client is the same package as the server. */
  readonly image: string;
  readonly trackingUri: string;
  /** A Secret with the keys username and password. They reach the client by its environment, never by arguments. */
  readonly loginSecret?: string;
  /** A Secret with the key `token`, likewise. */
  readonly tokenSecret?: string;
  /** The ServiceAccount of the pod, whose token the client sends. */
  readonly serviceAccount?: string;
  /** A Secret whose key `ca.crt` the server's certificate is checked against; absent for http. */
  readonly caSecret?: string;
  /** What of a processor it asks for. Default: `100m`. */
  readonly cpu?: string;
}

/**
 * A pod that waits, so that scripts can be run in it by `kubectl exec`, under the restricted standard. Only /tmp can be
 * written to.
 */
export function clientPod(client: ClientPod): Draft {
  const { name, image, trackingUri, loginSecret, tokenSecret, serviceAccount, caSecret, cpu = "100m" } = client;
  const from = (variable: string, secret: string | undefined, key: string) =>
    secret === undefined ? [] : [{ name: variable, valueFrom: { secretKeyRef: { name: secret, key } } }];
  return {
    metadata: { name },
    spec: {
      automountServiceAccountToken: serviceAccount !== undefined,
      ...(serviceAccount !== undefined && { serviceAccountName: serviceAccount }),
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      volumes: [
        { name: "tmp", emptyDir: {} },
        ...(caSecret === undefined ? [] : [{ name: "authority", secret: { secretName: caSecret } }]),
      ],
      containers: [
        {
          name: "client",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["sleep", "infinity"],
          env: [
            { name: "MLFLOW_TRACKING_URI", value: trackingUri },
            ...from("MLFLOW_TRACKING_USERNAME", loginSecret, "username"),
            ...from("MLFLOW_TRACKING_PASSWORD", loginSecret, "password"),
            ...from("MLFLOW_TRACKING_TOKEN", tokenSecret, "token"),
            ...(serviceAccount === undefined ? [] : [{ name: "MLFLOW_TRACKING_AUTH", value: "kubernetes" }]),
            { name: "HOME", value: "/tmp" },
            ...(caSecret === undefined
              ? []
              : [{ name: "MLFLOW_TRACKING_SERVER_CERT_PATH", value: "/etc/authority/ca.crt" }]),
          ],
          // Without a request it would get no processor at all on a busy machine.
          resources: { requests: { cpu, memory: "256Mi" } },
          volumeMounts: [
            { name: "tmp", mountPath: "/tmp" },
            ...(caSecret === undefined ? [] : [{ name: "authority", mountPath: "/etc/authority", readOnly: true }]),
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
