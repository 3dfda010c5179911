"""Tests of reading the statements of mariadb-dump, which need no server."""

import io
import unittest

from restore_databases import statements_of

DUMP = rb"""/*M!999999\- enable the sandbox mode */
-- MariaDB dump 10.19
SET a = 1;

CREATE TABLE `x` (
  `a` varchar(8)
) ENGINE=InnoDB;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`of the backup`@`%`*/ /*!50003 TRIGGER t BEFORE UPDATE ON x FOR EACH ROW BEGIN
  SET @a = 1;
END */;;
DELIMITER ;
INSERT INTO `x` VALUES ('a\nb; -- c'),
('/*!50017 DEFINER=x*/');
"""


class Statements(unittest.TestCase):
    def test_statements_end_with_their_delimiter_and_triggers_have_no_definer(self) -> None:
        self.assertEqual(
            list(statements_of(io.BytesIO(DUMP))),
            [
                "SET a = 1",
                "CREATE TABLE `x` (\n  `a` varchar(8)\n) ENGINE=InnoDB",
                "/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE UPDATE ON x FOR EACH ROW BEGIN\n  SET @a = 1;\nEND */",
                "INSERT INTO `x` VALUES ('a\\nb; -- c'),\n('/*!50017 DEFINER=x*/')",
            ],
        )

    def test_a_dump_that_ends_early_is_refused(self) -> None:
        with self.assertRaises(EOFError):
            list(statements_of(io.BytesIO(DUMP[:-20])))


if __name__ == "__main__":
    unittest.main()
