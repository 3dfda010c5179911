/** A file that is made from the source. */
export interface GeneratedFile {
  /** From the root of the project. */
  readonly path: string;
  readonly content: string;
}
