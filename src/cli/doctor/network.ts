import type { DoctorFacts, EndpointFacts } from "./facts.ts";
import { type Finding, notChecked, ok, problem, problemsOr } from "./finding.ts";
import { validityProblem } from "./references.ts";

const unexposed = notChecked("The server has no external URL; its Service is for clients in the cluster");
const effect = "Clients outside the cluster cannot use the server from this machine.";

function onEndpoint(
  { endpoint }: DoctorFacts,
  check: (endpoint: EndpointFacts, object: string) => readonly Finding[],
): readonly Finding[] {
  return endpoint === undefined ? [unexposed] : check(endpoint, `URL ${endpoint.url}`);
}

/** Checks the status of one of the requests, if there is an answer. */
function onAnswer(
  facts: DoctorFacts,
  request: "health" | "api",
  check: (status: number, object: string) => readonly Finding[],
): readonly Finding[] {
  return onEndpoint(facts, ({ addresses, [request]: answer }, object) => {
    if ("notRead" in addresses) return [notChecked("The host does not resolve")];
    if ("value" in answer) return check(answer.value.status, object);
    const fix = "Check the Ingress, HTTPRoute or load balancer, its controller, and firewalls.";
    return [problem(object, `${answer.notRead}.`, effect, fix)];
  });
}

export function checkResolution(facts: DoctorFacts): readonly Finding[] {
  return onEndpoint(facts, ({ addresses }, object) => {
    if ("value" in addresses) return [ok(`The host resolves to ${addresses.value.join(", ")}.`)];
    const fix =
      "Create the DNS record of the host for the address of the Ingress, Gateway or load balancer, or use a resolver that has it.";
    return [problem(object, `${addresses.notRead}.`, effect, fix)];
  });
}

export function checkTls(facts: DoctorFacts): readonly Finding[] {
  return onEndpoint(facts, ({ tls, addresses }, object) => {
    if (tls === undefined)
      return [
        problem(
          object,
          "It has no TLS.",
          "Passwords and tokens are sent in plain text.",
          "Configure TLS in the Ingress, Gateway or load balancer, and an https URL in spec.exposure.externalURL.",
        ),
      ];
    if ("notRead" in addresses) return [notChecked("The host does not resolve")];
    if ("notRead" in tls)
      return [
        problem(
          object,
          `${tls.notRead}.`,
          effect,
          "Check the address, firewalls, and the TLS settings of the Ingress, Gateway or load balancer.",
        ),
      ];
    const { error, names, subject } = tls.value;
    const dates = validityProblem(tls.value, facts.now);
    const problems = [
      ...(dates === undefined
        ? []
        : [
            problem(
              object,
              `The certificate of ${subject} ${dates}.`,
              "Clients that verify it fail when it has expired.",
              "Renew the certificate of the Ingress, Gateway or load balancer, or that of spec.server.tls.",
            ),
          ]),
      ...(error === undefined || error === "CERT_HAS_EXPIRED"
        ? []
        : [
            problem(
              object,
              `This machine does not accept the certificate: ${error}. It is for ${names || subject || "no name"}.`,
              "Clients that verify it, as MLflow does, cannot connect.",
              "Use a certificate with the host among its names, of a CA that clients trust; for a private CA give its certificate with --ca.",
            ),
          ]),
    ];
    return problemsOr(
      problems,
      ok(`The certificate is for ${names || subject}, trusted, and valid until ${tls.value.validTo}.`),
    );
  });
}

export function checkHealth(facts: DoctorFacts): readonly Finding[] {
  return onAnswer(facts, "health", (status, object) => {
    if (status === 200) return [ok("The path /health answers with 200.")];
    const fix =
      status === 502 || status === 503 || status === 504
        ? "The proxy in front has no endpoint that answers: check the pods, and NetworkPolicies between the Ingress or Gateway and the pods."
        : "Check that the Ingress or Gateway routes the host and prefix to the Service of the server, without changing the path.";
    return [problem(object, `The path /health answers with ${status} instead of 200.`, effect, fix)];
  });
}

export function checkApi(facts: DoctorFacts): readonly Finding[] {
  return onAnswer(facts, "api", (status, object) => {
    const isOpen = facts.server.spec.authentication.none !== undefined;
    if (isOpen)
      return [ok(`The API answers with ${status} to a client without credentials, as authentication is none.`)];
    if (status === 401) return [ok("The API answers with 401 to a client without credentials.")];
    if (status >= 200 && status < 300)
      return [
        problem(
          object,
          `The API answers with ${status} to a client without credentials.`,
          "Every client that can reach the URL can read data.",
          "Check what the URL is routed to, and whether a proxy in front adds credentials.",
        ),
      ];
    return [
      problem(
        object,
        `The API answers with ${status} instead of 401 to a client without credentials.`,
        "Programs get an answer that MLflow's client does not understand, such as a sign-in page.",
        "Check whether a proxy in front authenticates or redirects requests before they reach the server.",
      ),
    ];
  });
}

/** A larger difference makes new tokens invalid for the server, or for this machine. */
const maxSkewSeconds = 30;

export function checkClock(facts: DoctorFacts): readonly Finding[] {
  return onEndpoint(facts, ({ health }, object) => {
    const skew = "value" in health ? health.value.skewSeconds : undefined;
    if (skew === undefined) return [notChecked("The URL sent no Date header")];
    if (Math.abs(skew) <= maxSkewSeconds)
      return [ok(`The clocks of this machine and of the URL differ by ${Math.abs(skew)} s.`)];
    const text = `Its clock is ${Math.abs(skew)} s ${skew > 0 ? "ahead of" : "behind"} that of this machine.`;
    return [
      problem(
        object,
        text,
        "Tokens and certificates can be rejected as expired or not valid yet.",
        "Synchronize both clocks with NTP.",
      ),
    ];
  });
}

/** The discovery documents of the issuers of tokens. */
export function checkIssuers({ issuers }: DoctorFacts): readonly Finding[] {
  if ("notRead" in issuers) return [notChecked(issuers.notRead)];
  const findings = issuers.value.flatMap(({ issuer, url, path, document }): readonly Finding[] => {
    const object = `Issuer ${issuer}`;
    const cause = "If the pods get the same answer, users cannot sign in and tokens are rejected.";
    if ("notRead" in document)
      return [
        problem(
          object,
          `${document.notRead}.`,
          cause,
          `Check the issuer and ${path}. An issuer that only the cluster reaches is no problem.`,
        ),
      ];
    const { status, issuer: found } = document.value;
    if (status !== 200)
      return [problem(object, `${url} answers with ${status} instead of 200.`, cause, `Check ${path}.`)];
    if (found === issuer) return [ok(`${object} has a discovery document that names it.`)];
    const message =
      found === undefined ? `${url} is not a discovery document.` : `The discovery document names the issuer ${found}.`;
    return [
      problem(
        object,
        message,
        "Tokens of another issuer are rejected.",
        `Correct ${path}; the names must be equal, including a slash at the end.`,
      ),
    ];
  });
  return findings.length === 0 ? [notChecked("The authentication method has no issuer outside the cluster")] : findings;
}
