import { checkConditions, checkEvents, checkGeneration } from "./conditions.ts";
import type { DoctorFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { checkNetworkPolicies, checkPodSecurity, checkQuotas } from "./namespace.ts";
import { checkApi, checkClock, checkHealth, checkIssuers, checkResolution, checkTls } from "./network.ts";
import { checkOperator, checkOperatorUpgrade } from "./operator.ts";
import { checkCertificates, checkReferences } from "./references.ts";
import { checkEndpoints, checkPods } from "./workload.ts";

export interface Check {
  readonly name: string;
  /** What is a problem, for docs/cli.md. */
  readonly about: string;
  /** Where it reads: the API server, or the network from the user's machine. */
  readonly source: "API server" | "network";
  readonly run: (facts: DoctorFacts) => readonly Finding[];
}

/** All checks of `doctor`, in the order of its output. docs/cli.md lists them. */
export const checks: readonly Check[] = [
  {
    name: "Conditions",
    about: "a condition is unhealthy, such as Ready that is not True",
    source: "API server",
    run: checkConditions,
  },
  {
    name: "Generation",
    about: "the status is about an earlier spec, or there is none",
    source: "API server",
    run: checkGeneration,
  },
  {
    name: "Events",
    about: "warnings about the server and its objects since it has been ready, or of the last hour",
    source: "API server",
    run: checkEvents,
  },
  {
    name: "Endpoints",
    about: "the Service does not exist or has no ready endpoint in its EndpointSlices",
    source: "API server",
    run: checkEndpoints,
  },
  {
    name: "Pods",
    about: "there are no pods, a pod does not run, or a container has restarted within a day",
    source: "API server",
    run: checkPods,
  },
  {
    name: "References",
    about: "a Secret or ConfigMap that the spec references, or one of its keys, does not exist",
    source: "API server",
    run: checkReferences,
  },
  {
    name: "Certificates",
    about: "a certificate in such a Secret or ConfigMap expires within 14 days",
    source: "API server",
    run: checkCertificates,
  },
  {
    name: "Quotas",
    about: "a ResourceQuota that new pods or objects need is used up",
    source: "API server",
    run: checkQuotas,
  },
  {
    name: "Pod Security",
    about: "the pods violate the level that the namespace enforces",
    source: "API server",
    run: checkPodSecurity,
  },
  {
    name: "Network policies",
    about:
      "a NetworkPolicy that is not the operator's selects the pods and allows further clients, or restricts the egress of a server that is not ready",
    source: "API server",
    run: checkNetworkPolicies,
  },
  {
    name: "Operator",
    about: "no operator has renewed the Lease that the status names",
    source: "API server",
    run: checkOperator,
  },
  {
    name: "Operator upgrade",
    about: "an operator upgrade has not reached the server",
    source: "API server",
    run: checkOperatorUpgrade,
  },
  {
    name: "Resolution",
    about: "the host of the external URL does not resolve",
    source: "network",
    run: checkResolution,
  },
  {
    name: "TLS",
    about: "the external URL has no TLS, or a certificate that is expired, for another name or not trusted",
    source: "network",
    run: checkTls,
  },
  {
    name: "Health",
    about: "the path /health of the external URL does not answer with 200",
    source: "network",
    run: checkHealth,
  },
  {
    name: "Authentication",
    about: "the API does not answer with 401 to a client without credentials, unless authentication is none",
    source: "network",
    run: checkApi,
  },
  {
    name: "Clock",
    about: "the clocks of the external URL and of your machine differ by more than 30 s",
    source: "network",
    run: checkClock,
  },
  {
    name: "Issuers",
    about: "an issuer of tokens has no discovery document that names it",
    source: "network",
    run: checkIssuers,
  },
];

/** The findings of a check. */
export interface Checked {
  readonly check: string;
  readonly findings: readonly Finding[];
}

/** Runs all checks. */
export function diagnose(facts: DoctorFacts): Checked[] {
  return checks.map(({ name, run }) => ({ check: name, findings: run(facts) }));
}
