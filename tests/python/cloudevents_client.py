#!/usr/bin/env python3
"""Sends events to a running host with the CloudEvents SDK, in every way that it knows, and checks what is stored.

usage: cloudevents_client.py http://127.0.0.1:PORT

Structured, binary and batch requests; JSON, text, bytes and no data; every attribute, extensions, and characters that a
header must escape. What comes back must make the CloudEvent that was sent. Exits 1 and names every difference.
"""
import base64
import http.client
import json
import sys
import urllib.parse
import uuid
from datetime import datetime, timedelta, timezone

from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v03.event import CloudEvent as CloudEventV03
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse

# A run's own sources, so that a second run against the same host sends other events.
RUN = uuid.uuid4().hex[:12]
# Extensions that have a place of their own in a stored event; what is not here becomes metadata.
PLACES = {"schemaversion": "schema_version", "actor": "actor", "causationid": "causation_id",
          "correlationid": "correlation_id"}
BATCH = "application/cloudevents-batch+json"


class Host:
    """A host's address, and what was wrong with its answers so far."""

    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc
        self.wrong = []
        self.checks = 0

    def request(self, method, path, body=None, headers=None):
        # Not urllib: it adds a Content-Type of its own, and a CloudEvent without data has none.
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers.get_content_type(), json.loads(text) if text else None

    def post(self, message):
        return self.request("POST", "/events", message.body, message.headers)

    def head(self):
        return self.request("GET", "/log")[2]["head"]

    def check(self, what, found, expected):
        self.checks += 1
        if found != expected:
            self.wrong.append(f"{what}: found {found!r}, expected {expected!r}")

    def event(self, sequence):
        status, _, page = self.request("GET", f"/events?since={sequence - 1}&limit=1")
        self.check(f"GET of event {sequence}", status, 200)
        return page["events"][0]


def event(name, data=None, **attributes):
    """A CloudEvent of this run; what is not given has a value that shows."""
    given = {
        "id": name,
        "source": f"https://shop.example/{RUN}/orders",
        "type": "order.placed",
        "time": datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2))),
        **attributes,
    }
    return CloudEvent(given, data)


def batch(events):
    """The SDK has no batches; the specification says that one is an array of structured events."""
    return HTTPMessage({"content-type": BATCH}, b"[" + b",".join(to_structured_event(e).body for e in events) + b"]")


def cases():
    """One of each kind; a name says what is special."""
    json_type = {"datacontenttype": "application/json"}
    return [
        event("plain", {"euros": 10, "lines": [{"sku": "a-1"}], "rate": 0.1, "gift": None}, subject="17", **json_type),
        event("no-subject", {"euros": 11}, **json_type),
        event("no-data", subject="18"),
        event("text", "grüße, \"quoted\"\n", subject="19", datacontenttype="text/plain"),
        event("bytes", bytes(range(256)), subject="20", datacontenttype="application/octet-stream"),
        event("vendor-json", {"euros": 12}, subject="21", datacontenttype="application/vnd.shop.order+json"),
        event("schema", {"euros": 13}, subject="22", dataschema="https://shop.example/order-2.json", **json_type),
        event("escaped ü \"100 %\" €", {"euros": 14}, subject="näme with 50 % \"off\"", **json_type),
        event("places", {"euros": 15}, stream=f"order/{RUN}", schemaversion="3", actor="Åsa", causationid="cause 1",
              correlationid="request-1", **json_type),
        event("extensions", {"euros": 16}, subject="23", priority="high", traceparent="00-0af7651916cd43dd8448eb211c80319c"
              "-b7ad6b7169203331-01", **json_type),
        event("utc", {"euros": 17}, subject="24", **{**json_type, "time": datetime(2026, 1, 1, tzinfo=timezone.utc)}),
    ]


def stored_data(sent):
    """The data as a host gives it back: byte strings are base64url without padding."""
    data = sent.get_data()
    if isinstance(data, bytes):
        return base64.urlsafe_b64encode(data).decode().rstrip("=")
    return data


def attributes_of(stored):
    """The attributes of the CloudEvent that a stored event was."""
    metadata = dict(stored.get("metadata", {}))
    source = metadata.pop("source", None)
    attributes = {"specversion": "1.0", "type": stored["type"], "source": source, **metadata}
    attributes["id"] = stored["id"].removeprefix(f"{source} ")
    if "occurred_at" in stored:
        attributes["time"] = isoparse(stored["occurred_at"])
    for name, place in PLACES.items():
        if place in stored and (name, stored[place]) != ("schemaversion", 1):
            attributes[name] = str(stored[place])
    return attributes


def stream_of(sent):
    """The stream that an event without the extension `stream` goes to."""
    source = sent.get_source().split("://", 1)[1].strip("/").replace("/", ".")
    return sent.get_extension("stream") or f"{source}/{sent.get_subject() or '-'}"


def check_stored(host, how, sent, stored):
    name = f"{how} {sent.get_id()!r}"
    expected = dict(sent.get_attributes())
    expected.pop("stream", None)
    host.check(f"{name}: attributes", attributes_of(stored), expected)
    host.check(f"{name}: stream", stored["stream"], stream_of(sent))
    host.check(f"{name}: data", stored["data"], stored_data(sent))


def check_placed(host, how, answer, events, duplicate):
    """The answer to an append: where each event lies."""
    status, kind, body = answer
    host.check(f"{how}: status", status, 200 if duplicate else 201)
    host.check(f"{how}: content type", kind, "application/json")
    if "events" not in (body or {}):
        host.wrong.append(f"{how}: {body}")
        return []
    host.check(f"{how}: ids", [p["id"] for p in body["events"]], [f"{e.get_source()} {e.get_id()}" for e in events])
    host.check(f"{how}: duplicates", [p["duplicate"] for p in body["events"]], [duplicate] * len(events))
    return [placed["sequence"] for placed in body["events"]]


def send_one_by_one(host, how, encode, prefix):
    for sent in cases():
        sent = CloudEvent({**sent.get_attributes(), "id": f"{prefix} {sent.get_id()}"}, sent.get_data())
        sequences = check_placed(host, how, host.post(encode(sent)), [sent], duplicate=False)
        for sequence in sequences:
            check_stored(host, how, sent, host.event(sequence))
        # The same event in the other mode is the same event.
        for other in (to_structured_event, to_binary_event):
            again = check_placed(host, f"{how}, again", host.post(other(sent)), [sent], duplicate=True)
            host.check(f"{how}, again {sent.get_id()!r}: sequence", again, sequences)


def send_batch(host):
    events = [CloudEvent({**e.get_attributes(), "id": f"batch {e.get_id()}"}, e.get_data()) for e in cases()]
    sequences = check_placed(host, "batch", host.post(batch(events)), events, duplicate=False)
    host.check("batch: consecutive", sequences, list(range(min(sequences, default=0), max(sequences, default=-1) + 1)))
    for sent, sequence in zip(events, sequences):
        check_stored(host, "batch", sent, host.event(sequence))
    again = check_placed(host, "batch, again", host.post(batch(events)), events, duplicate=True)
    host.check("batch, again: sequences", again, sequences)


def check_refused(host, what, answer):
    """A problem, and nothing in the log."""
    status, kind, body = answer
    host.check(f"{what}: is refused", 400 <= status < 500, True)
    host.check(f"{what}: content type", kind, "application/problem+json")
    host.check(f"{what}: status in the body", (body or {}).get("status"), status)


def send_what_is_wrong(host):
    before = host.head()
    good = event("good", {"euros": 1}, subject="1", datacontenttype="application/json")
    old = CloudEventV03({"id": "1", "source": "/old", "type": "t"}, {"euros": 1})
    structured, binary = to_structured_event(good), to_binary_event(good)
    for name in ("ce-id", "ce-source", "ce-type"):
        headers = {key: value for key, value in binary.headers.items() if key != name}
        check_refused(host, f"binary without {name}", host.post(HTTPMessage(headers, binary.body)))
    for name in ("id", "source", "type"):
        body = {key: value for key, value in json.loads(structured.body).items() if key != name}
        answer = host.post(HTTPMessage(structured.headers, json.dumps(body).encode()))
        check_refused(host, f"structured without {name}", answer)
    check_refused(host, "structured 0.3", host.post(to_structured_event(old)))
    check_refused(host, "binary 0.3", host.post(to_binary_event(old)))
    check_refused(host, "binary with broken JSON", host.post(HTTPMessage(binary.headers, b'{"euros":')))
    check_refused(host, "a batch with one 0.3 event", host.post(batch([good, old])))
    taken = {**good.get_attributes(), "id": "structured plain"}
    check_refused(host, "another event under a taken id", host.post(to_structured_event(CloudEvent(taken, {"euros": 2}))))
    host.check("the head after what is wrong", host.head(), before)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    host = Host(sys.argv[1])
    send_one_by_one(host, "structured", to_structured_event, "structured")
    send_one_by_one(host, "binary", to_binary_event, "binary")
    send_batch(host)
    send_what_is_wrong(host)
    for difference in host.wrong:
        print(difference, file=sys.stderr)
    if host.wrong:
        sys.exit(f"CloudEvents: {len(host.wrong)} of {host.checks} checks failed")
    print(f"CloudEvents: {host.checks} checks passed")


main()
