"""URLs of Flask's routes whose builders are compiled late, with werkzeug of MLflow's image."""

import unittest

from werkzeug.routing import Map, Rule

from mlflow_operator import url_builders


class UrlBuilders(unittest.TestCase):
    def setUp(self) -> None:
        compiler = Rule._compile_builder
        self.addCleanup(setattr, Rule, "_compile_builder", compiler)
        self.compiled: list[str] = []

        def noted(rule: Rule, append_unknown: bool = True) -> object:
            self.compiled.append(rule.rule)
            return compiler(rule, append_unknown)

        setattr(Rule, "_compile_builder", noted)  # noqa: B010 - a method has no other type
        url_builders.install()

    def test_routes_match_without_builders_and_build_their_urls(self) -> None:
        rules = [Rule("/runs/<int:number>/get", endpoint="run"), Rule("/files/<path>", endpoint="file")]
        urls = Map(rules).bind("localhost", "/")
        self.assertEqual(urls.match("/runs/4/get"), ("run", {"number": 4}))
        self.assertEqual(self.compiled, [])
        self.assertEqual(urls.build("run", {"number": 3, "other": "value"}), "/runs/3/get?other=value")
        self.assertEqual(urls.build("file", {"path": "a b"}), "/files/a%20b")
        self.assertEqual(urls.build("file", {"path": "c", "x": "y"}, append_unknown=False), "/files/c")
        self.assertEqual(self.compiled, ["/runs/<int:number>/get", "/files/<path>", "/files/<path>"])

    def test_another_version_of_werkzeug(self) -> None:
        other = type("Rule", (), {})
        url_builders.compile_late(other)
        self.assertFalse(hasattr(other, "_compile_builder"))


if __name__ == "__main__":
    unittest.main()
