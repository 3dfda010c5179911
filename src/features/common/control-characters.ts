/** Characters that a name, a URI or a one-line secret must not contain, most often the line break of `echo`. */
export const controlCharacters = /[\p{Cc}]/u;
