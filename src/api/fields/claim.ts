import { text } from "./text.ts";

/** The name of a claim of tokens. */
export function claim(description: string) {
  return text(description, 128, {
    rule: "self.matches('^[A-Za-z0-9_.:/-]+$')",
    message: "must be the name of one claim of the tokens, such as preferred_username",
  });
}
