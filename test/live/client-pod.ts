import type { Draft } from "../support/objects.ts";

/** A pod with MLflow's client, and its identity. */
export interface ClientPod {
  readonly name: string;
  /** MLflow's image: the client is the same package as the server. */
  readonly image: string;
  readonly trackingUri: string;
  /** A Secret with the keys username and password, used as environment variables, never as arguments. */
  readonly loginSecret?: string;
  /** A Secret with the key `token`, used in the same way. */
  readonly tokenSecret?: string;
  /** The ServiceAccount of the pod, whose token the client sends. */
  readonly serviceAccount?: string;
  /** A Secret with the CA bundle of the server in `ca.crt`; absent for http. */
  readonly caSecret?: string;
  /** The CPU request. Default: `100m`. */
  readonly cpu?: string;
}

/**
 * Returns a pod in which scripts run with `kubectl exec`, with Pod Security "restricted". Only /tmp is writable.
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
        ...(caSecret === undefined ? [] : [{ name: "ca", secret: { secretName: caSecret } }]),
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
            ...(caSecret === undefined ? [] : [{ name: "MLFLOW_TRACKING_SERVER_CERT_PATH", value: "/etc/ca/ca.crt" }]),
          ],
          // Without a request it would get no CPU on a busy machine.
          resources: { requests: { cpu, memory: "256Mi" } },
          volumeMounts: [
            { name: "tmp", mountPath: "/tmp" },
            ...(caSecret === undefined ? [] : [{ name: "ca", mountPath: "/etc/ca", readOnly: true }]),
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
