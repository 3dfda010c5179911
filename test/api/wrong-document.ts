import { changed, type Document, type Json } from "./documents.ts";

/** A document that must be refused, with a field that is named and words that the message must have. */
export interface Wrong {
  readonly title: string;
  readonly document: Document;
  /** Empty for an unknown field, which strict decoding reports without a path of its own. */
  readonly field: string;
  readonly says: string;
}

type Changes = Readonly<Record<string, Json | undefined>>;

/** Makes wrong documents of a right one. */
export const wrong =
  (base: Document) =>
  (title: string, changes: Changes, field: string, says: string): Wrong => ({
    title,
    document: changed(base, changes),
    field,
    says,
  });
