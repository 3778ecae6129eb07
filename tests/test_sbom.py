"""The bill of materials names what is really here: packages, libraries inside them, models."""

import hashlib
import json
from importlib.metadata import distribution
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import pytest
from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from reelcheck.cli.sbom import bill, packages
from reelcheck.models.card import load_card


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return bill()


def named(made: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in made["components"] if one["name"] == name)


def every_component(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for part in parts for one in (part, *every_component(part.get("components", [])))]


def test_it_holds_what_the_standard_asks_for(made: dict[str, Any]) -> None:
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    everything = every_component(made["components"])
    references = [one["bom-ref"] for one in everything]
    assert len(set(references)) == len(references)
    assert all(one["type"] and one["name"] for one in everything)
    known = {*references, made["metadata"]["component"]["bom-ref"]}
    for link in made["dependencies"]:
        assert {link["ref"], *link["dependsOn"]} <= known


def test_the_official_schema_accepts_it(made: dict[str, Any]) -> None:
    if find_spec("cyclonedx") is None:
        pytest.skip("the schema comes with the package cyclonedx-python-lib")
    folder = files("cyclonedx") / "schema" / "_res"

    def schema(name: str) -> Any:  # noqa: ANN401 - JSON
        return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))

    names = ("spdx", "jsf-0.82", "cryptography-defs")
    registry: Registry[Any] = Registry().with_resources(
        (base + f"{name}.SNAPSHOT.schema.json", DRAFT7.create_resource(schema(name)))
        for name in names
        for base in ("", "http://cyclonedx.org/schema/")
    )
    errors = Draft7Validator(schema("bom-1.6"), registry=registry).iter_errors(made)

    assert [error.message for error in errors] == []


def test_every_package_that_is_needed_stands_with_its_version(made: dict[str, Any]) -> None:
    needed = {"av", "numpy", "onnxruntime", "pillow", "pydantic", "pydantic-core", "rich"}

    assert needed <= set(packages())
    assert "pytest" not in packages()
    for name in needed:
        one = distribution(name)
        part = named(made, one.metadata["Name"])
        assert (part["version"], part["purl"]) == (one.version, f"pkg:pypi/{name}@{one.version}")


def test_the_libraries_inside_the_wheels_stand_with_the_hash_of_their_file(
    made: dict[str, Any],
) -> None:
    inside = {one["name"]: one for one in named(made, "av")["components"]}

    assert inside["FFmpeg"]["version"] == av.ffmpeg_version_info
    codec = inside["libavcodec"]
    assert codec["version"] == ".".join(str(part) for part in av.library_versions["libavcodec"])
    (place,) = [one["value"] for one in codec["properties"] if one["name"] == "reelcheck:file"]
    path = distribution("av").locate_file(place)
    assert codec["hashes"][0]["content"] == hashlib.sha256(Path(str(path)).read_bytes()).hexdigest()
    assert any(one["name"] == "libonnxruntime" for one in named(made, "onnxruntime")["components"])


def test_models_stand_with_hash_licence_and_state(made: dict[str, Any]) -> None:
    part, card = named(made, "open-nsfw"), load_card("open-nsfw")

    assert part["type"] == "machine-learning-model"
    assert part["hashes"] == [{"alg": "SHA-256", "content": card.sha256}]
    assert part["licenses"] == [{"license": {"name": card.licence}}]
    assert {"name": "reelcheck:state", "value": "as its card says"} in part["properties"]


def test_the_same_parts_give_the_same_number(made: dict[str, Any]) -> None:
    assert bill()["serialNumber"] == made["serialNumber"]
