"""Bodies that schemathesis cannot make by itself: lines of events, and files that are no components."""
import json

import schemathesis
from hypothesis import strategies as st

# Never the same id twice with other data: that would be refused as it should be, over and over.
EVENT = st.fixed_dictionaries(
    {"stream": st.sampled_from(["fuzz/1", "fuzz/2"]), "type": st.sampled_from(["fuzz.a", "fuzz.b"])},
    optional={"data": st.recursive(st.none() | st.booleans() | st.text(max_size=9), st.lists), "actor": st.text(max_size=9)},
)
LINE = EVENT.map(json.dumps) | st.sampled_from(["", "{}", "nothing", '{"stream":"fuzz/1"}', '{"specversion":"1.0"}'])
LINES = st.lists(LINE, max_size=5).map(lambda lines: "\n".join(lines).encode())
# A module that is no component, a component that is cut off, and anything else.
FILE = st.sampled_from([b"\0asm\1\0\0\0", b"\0asm\x0d\0\1\0\7"]) | st.binary(max_size=200)

for name in ("application/x-ndjson", "application/ndjson"):
    schemathesis.openapi.media_type(name, LINES)
for name in ("application/wasm", "application/octet-stream"):
    schemathesis.openapi.media_type(name, FILE)
