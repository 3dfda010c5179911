import { text } from "./text.ts";

/** The name of a token claim. */
export function claim(description: string) {
  return text(description, 128, {
    rule: "self.matches('^[A-Za-z0-9_.:/-]+$')",
    message: "must be the name of one token claim, such as preferred_username",
  });
}
