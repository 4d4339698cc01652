"""The conformance upcaster: what every language must lift alike."""

from typing import Any

from polyfold import Event, Step, Upcaster, UpcasterManifest, export, fail


@export
class ConformanceV2(Upcaster):
    manifest = UpcasterManifest(
        "conformance-v2",
        "1.0.0",
        "what every language must lift alike",
        [Step("sample", 1), Step("sample", 2), Step("specimen", 1, "sample")],
    )

    def upcast(self, event: Event, payload: dict[str, Any]) -> dict[str, Any]:
        if "fail" in payload:
            fail(payload["fail"])
        if event.schema_version == 2:
            return to_3(payload)
        lifted = to_2(payload)
        if event.event_type == "specimen":
            lifted["was"] = "specimen"
        return lifted


def to_2(payload: dict[str, Any]) -> dict[str, Any]:
    if "int" in payload:
        payload["integer"] = payload.pop("int")
    if "float" in payload:
        payload["measure"] = {"value": payload.pop("float")}
    payload["lifted"] = 1
    return payload


def to_3(payload: dict[str, Any]) -> dict[str, Any]:
    if "text" in payload:
        payload["texts"] = [payload.pop("text")]
    payload["lifted"] = 2
    return payload
