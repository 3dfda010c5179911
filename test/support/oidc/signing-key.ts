import { randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

/** A signing key of an issuer. */
export interface SigningKey {
  /** Including the private key. */
  readonly jwk: JWK;
  readonly signed: (claims: JWTPayload) => Promise<string>;
}

export async function signingKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const header = { alg: "RS256", kid: randomUUID() };
  return {
    jwk: { ...(await exportJWK(privateKey)), ...header, use: "sig" },
    signed: (claims) => new SignJWT(claims).setProtectedHeader({ ...header, typ: "JWT" }).sign(privateKey),
  };
}

/** Returns a token without a signature (`alg: none`). */
export function unsigned(claims: JWTPayload): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none", typ: "JWT" })}.${part(claims)}.`;
}
