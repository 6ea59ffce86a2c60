from __future__ import annotations

import re
from html.parser import HTMLParser

import jsonschema_rs

from tests.server.api.serving import Api


def test_every_operation_has_words_examples_that_fit_and_our_errors(server: Api) -> None:
    document = server.client.get("/api/openapi.json").json()
    seen = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"] and operation["tags"], (method, path)
            assert "422" not in operation["responses"] and "application/problem+json" in operation["responses"]["4XX"]["content"]
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                content = part.get("content", {}).get("application/json", {})
                if "example" in content:
                    schema = {"$ref": content["schema"]["$ref"]} if "$ref" in content["schema"] else content["schema"]
                    whole = {**schema, "components": document["components"]}
                    jsonschema_rs.validate(whole, content["example"])
                    seen += 1
    assert seen > 30 and "HTTPValidationError" not in document["components"]["schemas"]
    room = document["paths"]["/api/rooms/{room_id}/tokens"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert room["name"] == "Ada Lovelace" and room["grants"] == ["publish", "subscribe"]


def test_the_page_for_people_has_everything_and_no_script(server: Api) -> None:
    reply = server.client.get("/docs")
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/html")
    assert "<script" not in reply.text and not re.search(r'(src|href)="(?!#|/)', reply.text)
    for path, methods in server.client.get("/api/openapi.json").json()["paths"].items():
        assert all(f"<h3>{method.upper()} {path}</h3>" in reply.text for method in methods)
    HTMLParser().feed(reply.text)
