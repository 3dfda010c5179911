import { randomBytes, randomInt } from "node:crypto";

/** A key of 32 random bytes. */
export function randomKey(): string {
  return randomBytes(32).toString("base64url");
}

export function randomPassword(): string {
  return randomBytes(18).toString("base64url");
}

/** 32 random letters and digits: oauth2-proxy uses each character as a byte of the key. */
export function cookieSecret(): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from({ length: 32 }, () => alphabet[randomInt(alphabet.length)]).join("");
}

/** 32 bytes in URL-safe base64 with padding, the format of cryptography's Fernet. */
export function fernetKey(): string {
  return randomBytes(32).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}
