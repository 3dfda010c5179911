import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { V1PodTemplateSpec } from "@kubernetes/client-node";
import { validate } from "../../src/api/validation.ts";
import type { Manifest } from "../../src/kube/manifests.ts";
import { changed, type Document, rightDocuments } from "../api/documents.ts";
import { harmlessAnnotations } from "../api/wrong-pod-metadata.ts";
import { all, deploymentOf, inputs } from "../support/fixtures.ts";
import { podSecurityProblems } from "../support/pod-security.ts";
import { seededRandom } from "../support/seeded-random.ts";

function podTemplates(manifests: readonly Manifest[]): V1PodTemplateSpec[] {
  return manifests.flatMap((each) => {
    if (each.kind === "CronJob") return [each.spec.jobTemplate.spec?.template as V1PodTemplateSpec];
    return each.kind === "Deployment" || each.kind === "Job" ? [each.spec.template as V1PodTemplateSpec] : [];
  });
}

function podsOf(document: Document): V1PodTemplateSpec[] {
  const result = validate(document);
  assert.ok("server" in result, JSON.stringify(result));
  return podTemplates(all(inputs(result.server)));
}

describe("pods under Pod Security restricted", () => {
  for (const [title, document] of Object.entries(rightDocuments))
    test(`of ${title}`, () => {
      const pods = podsOf(document);
      assert.ok(pods.length > 0);
      for (const pod of pods) assert.deepEqual(podSecurityProblems(pod), []);
    });

  test("no annotation or label that validation accepts weakens them", () => {
    const random = seededRandom(1);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const domains = ["container.apparmor.security.beta.kubernetes.io/", "seccomp.security.alpha.kubernetes.io/"]
      .concat(["k8s.v1.cni.cncf.io/", "sidecar.istio.io/", "linkerd.io/", "vault.hashicorp.com/", "example.com/", ""])
      .concat(["x.dapr.io/", "io.kubernetes.cri-o.", "a.b.kubernetes.io/", "cdi.k8s.io/", "v2.multus-cni.io/"]);
    const names = ["mlflow", "pod", "networks", "inject", "agent-inject", "enabled", "team", "proxy", "Devices"];
    const values = ["unconfined", "true", "false", "disabled", "x"];
    const isWeak = (key: string, value: string) =>
      /apparmor|seccomp|cncf|cri-o|multus|k8s[.]io/.test(key) ||
      (/istio|linkerd|vault|dapr/.test(key) && !["false", "disabled"].includes(value));
    let accepted = 0;
    for (let round = 0; round < 500; round += 1) {
      const [place, key, value] = [pick(["labels", "annotations"]), pick(domains) + pick(names), pick(values)];
      const document = changed(pick([...Object.values(rightDocuments)]), { "spec.pod": { [place]: { [key]: value } } });
      if (!("server" in validate(document))) continue;
      accepted += 1;
      for (const pod of podsOf(document)) assert.deepEqual(podSecurityProblems(pod), [], `${key}: ${value}`);
      if (place === "annotations") assert.ok(!isWeak(key, value), `${key}: ${value}`);
    }
    assert.ok(accepted > 30, String(accepted));
  });

  test("annotations that disable injection, and harmless annotations, reach the pods", () => {
    const document = changed(rightDocuments["smallest"] as Document, {
      "spec.pod": {
        annotations: { ...harmlessAnnotations },
        labels: {
          "sidecar.istio.io/inject": "false",
          "istio.io/dataplane-mode": "none",
          "app.kubernetes.io/part-of": "x",
        },
      },
    });
    const result = validate(document);
    assert.ok("server" in result, JSON.stringify(result));
    const { metadata } = deploymentOf(inputs(result.server)).spec.template;
    for (const [key, value] of Object.entries(harmlessAnnotations)) assert.equal(metadata?.annotations?.[key], value);
    assert.equal(metadata?.labels?.["sidecar.istio.io/inject"], "false");
  });

  test("the check detects weaker settings", () => {
    const container = { name: "c", securityContext: { privileged: true } };
    const weak = {
      spec: { hostNetwork: true, containers: [container], volumes: [{ name: "v", hostPath: { path: "/" } }] },
    };
    assert.ok(podSecurityProblems(weak).length >= 8, podSecurityProblems(weak).join());
  });
});
