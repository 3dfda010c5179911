import type { Draft } from "../support/objects.ts";

/** Returns a web server with one page, on port 8080, with the label `app: <name>`, and a shell for requests to others. */
export function webPod(name: string): Draft {
  const serve = "echo here >/www/index.html && exec busybox httpd -f -p 8080 -h /www";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        fsGroup: 1000,
        seccompProfile: { type: "RuntimeDefault" },
      },
      volumes: [{ name: "www", emptyDir: {} }],
      containers: [
        {
          name: "web",
          image: "localhost/busybox:1",
          imagePullPolicy: "Never",
          command: ["busybox", "sh", "-c", serve],
          volumeMounts: [{ name: "www", mountPath: "/www" }],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  };
}
