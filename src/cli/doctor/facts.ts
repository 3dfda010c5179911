import type { V1EndpointSlice, V1ResourceQuota } from "@kubernetes/client-node";
import type { MlflowServer } from "../../api/server.ts";
import type { Deployment, Namespace, NetworkPolicy, Pod, Service } from "../../kube/manifests.ts";
import type { KubeObject } from "../../kube/object.ts";
import type { LiveEvent } from "../live/events.ts";
import type { Read } from "../live/read.ts";

/** What the checks are about: all that was read from the API server and tried from this machine. */
export interface DoctorFacts {
  readonly server: MlflowServer;
  readonly namespace: string;
  readonly now: Date;
  readonly events: Read<readonly LiveEvent[]>;
  readonly pods: Read<readonly Pod[]>;
  readonly deployment: Read<Deployment | undefined>;
  readonly service: Read<Service | undefined>;
  readonly slices: Read<readonly EndpointSlice[]>;
  readonly references: Read<readonly ReferenceFacts[]>;
  readonly quotas: Read<readonly ResourceQuota[]>;
  readonly namespaceObject: Read<Namespace | undefined>;
  readonly policies: Read<readonly NetworkPolicy[]>;
  /** The Lease of the operator that manages the server; undefined if the status names none. */
  readonly lease: Read<Lease | undefined> | undefined;
  /** The Deployments in the namespace of that Lease. */
  readonly operators: Read<readonly Deployment[]> | undefined;
  /** Undefined for a server without an external URL. */
  readonly endpoint: EndpointFacts | undefined;
  readonly issuers: Read<readonly IssuerFacts[]>;
}

/** The parts of other kinds that the checks read. */
export type EndpointSlice = KubeObject & Pick<V1EndpointSlice, "endpoints">;
export type ResourceQuota = KubeObject & Pick<V1ResourceQuota, "status">;
export type Lease = KubeObject & {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
};

/** A Secret or ConfigMap that the spec names: whether it has the keys. Values are never kept, except certificates. */
export interface ReferenceFacts {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
  readonly keys: readonly string[];
  readonly path: string;
  readonly optional: boolean;
  /** Undefined: it does not exist. */
  readonly content: Read<
    { readonly keys: readonly string[]; readonly certificates: readonly CertificateFacts[] } | undefined
  >;
}

/** A certificate that is not secret. */
export interface CertificateFacts {
  readonly key: string;
  readonly subject: string;
  readonly validFrom: string;
  readonly validTo: string;
}

/** What the external URL answers to a client without credentials. */
export interface EndpointFacts {
  readonly url: string;
  readonly addresses: Read<readonly string[]>;
  /** Undefined for http. */
  readonly tls: Read<TlsFacts> | undefined;
  readonly health: Read<AnswerFacts>;
  readonly api: Read<AnswerFacts>;
}

export interface TlsFacts {
  /** Why this machine does not trust the certificate; undefined if it does. */
  readonly error: string | undefined;
  readonly subject: string;
  readonly names: string;
  readonly validFrom: string;
  readonly validTo: string;
}

export interface AnswerFacts {
  readonly status: number;
  /** The Date header minus the time of this machine, in seconds. */
  readonly skewSeconds: number | undefined;
}

export interface IssuerFacts {
  readonly issuer: string;
  readonly url: string;
  readonly path: string;
  /** The field `issuer` of the discovery document; undefined if the document has none. */
  readonly document: Read<{ readonly status: number; readonly issuer: string | undefined }>;
}
