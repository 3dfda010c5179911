"""Validates account names: rejects names that can be confused with another name."""

from __future__ import annotations

import unicodedata

LONGEST_NAME = 255
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

#: Letters of other scripts that look like Latin letters, in lower case.
LOOK_ALIKES = dict(
    zip(
        # Cyrillic, then Greek.
        "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0457\u0458\u0501\u051b\u051d\u04bb\u04cf\u04af"
        "\u03b1\u03b2\u03b3\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03f2\u03b7\u03c9",
        "abekmhopctyxsiijdqwhlyabvikvoptuxcnw",
        strict=True,
    )
)

#: Scripts that are used together.
TOGETHER = {"LATIN", "HIRAGANA", "KATAKANA", "CJK", "IDEOGRAPHIC", "HANGUL", "BOPOMOFO"}


def problem_of(name: object, *, is_subject: bool = False) -> str | None:
    """Returns why a name is rejected, or None if it is valid. Subjects are generated, and can have upper case letters.

    The plugin removes spaces around a name and compares it in lower case, so several names are one account. A name is valid only in the form
    that the account has, and only in one script, so that no name looks like another one.
    """
    if not isinstance(name, str) or not name:
        return "it is missing"
    if len(name) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} characters"
    if any(unicodedata.category(character) in UNSEEN for character in name):
        return "it has control characters, or invisible characters"
    if name != " ".join(name.split()):
        return "it has spaces at its ends, or several in a row"
    if name != unicodedata.normalize("NFKC", name):
        return "it is not in Unicode's normal form NFKC"
    if not is_subject and name != name.lower():
        return "it is not in lower case"
    scripts = {script for character in name if (script := script_of(character))}
    if len(scripts) > 1 and not scripts <= TOGETHER:
        return "it mixes letters of several scripts"
    letters = [character for character in name if character.isalpha()]
    if letters and "LATIN" not in scripts and all(letter in LOOK_ALIKES for letter in letters):
        return "it looks like a name in Latin letters"
    return None


def script_of(character: str) -> str | None:
    """Returns the script of a letter, by its Unicode name; None for other characters, which all scripts share."""
    if not character.isalpha():
        return None
    return unicodedata.name(character, "UNKNOWN").split()[0].partition("-")[0]
