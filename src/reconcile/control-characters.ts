/** What no name, URI or secret of a line holds: most often the line break that `echo` has left behind. */
export const controlCharacters = /[\p{Cc}]/u;
