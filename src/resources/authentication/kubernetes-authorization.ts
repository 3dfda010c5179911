import type { MlflowServerSpec } from "../../api/spec.ts";
import { choice } from "../choose.ts";

/** Whether Kubernetes decides by RBAC what a caller may do, with oauth2-proxy in front of MLflow or without. */
export function isAuthorizedByKubernetes({ authentication }: MlflowServerSpec): boolean {
  const { kubernetes, oauth2Proxy } = authentication;
  return kubernetes !== undefined || oauth2Proxy?.authorization.kubernetes !== undefined;
}

/** Whether MLflow asks Kubernetes for the identity in the verified ID token, by SubjectAccessReview, and not with the caller's token. */
export function usesSubjectAccessReview({ authentication }: MlflowServerSpec): boolean {
  const { kubernetes } = authentication.oauth2Proxy?.authorization ?? {};
  if (kubernetes === undefined) return false;
  const { accessReview = "SelfSubjectAccessReview" } = kubernetes;
  const path = "spec.authentication.oauth2Proxy.authorization.kubernetes.accessReview";
  return choice(accessReview, path, { SelfSubjectAccessReview: false, SubjectAccessReview: true });
}
