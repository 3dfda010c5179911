import { changed, type Document, type Json } from "./documents.ts";

/** A document that must be rejected, with the field and a part of the message. */
export interface Wrong {
  readonly title: string;
  readonly document: Document;
  /** Empty for an unknown field, which strict decoding reports without a separate path. */
  readonly field: string;
  readonly says: string;
}

type Changes = Readonly<Record<string, Json | undefined>>;

/** Returns a function that changes a valid document into a wrong one. */
export const wrong =
  (base: Document) =>
  (title: string, changes: Changes, field: string, says: string): Wrong => ({
    title,
    document: changed(base, changes),
    field,
    says,
  });
