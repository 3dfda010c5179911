export type Change = "added" | "modified" | "deleted";

/** Takes in one list. Dropped without `complete` when the list has to be begun again. */
export interface Listing<T> {
  item(object: T): void;
  /** The list was whole: what it did not contain is no more. */
  complete(resourceVersion: string): void;
}

/** Where a list-watch delivers. */
export interface Sink<T> {
  /**
   * Begins to take in a list. Undefined where no item of it matters now: then it is no more than the question where to
   * begin.
   */
  listing?(): Listing<T> | undefined;
  /** Everything before this moment may have changed without a word. Called after each list. */
  relisted?(): void;
  changed(change: Change, object: T): void;
  /** All up to this resource version has been delivered. */
  reached?(resourceVersion: string): void;
}
