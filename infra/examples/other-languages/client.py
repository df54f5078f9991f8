"""Reads on the side that Crossfade says, falls back to the old one, and tells how it went. Standard library only."""

import json
import os
import time
import urllib.request

API, TOKEN = os.environ["CROSSFADE_API"], os.environ["CROSSFADE_TOKEN"]
recorded = {}  # (cutover, side, slice) -> [durations in milliseconds, failures]


def post(path, body, timeout):
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    request = urllib.request.Request(API + path, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def side_of(cutover, key):
    try:
        flag = post(f"/ofrep/v1/evaluate/flags/{cutover}", {"context": {"targetingKey": key}}, timeout=0.2)
        return flag["variant"], flag["metadata"].get("slice")
    except (OSError, ValueError, KeyError):
        return "primary", None  # Of a cutover that is completed, say "shadow" here.


def read(cutover, key, primary, shadow):
    side, place = side_of(cutover, key)
    counts = recorded.setdefault((cutover, side, place), [[], 0])
    started = time.monotonic()
    try:
        return shadow() if side == "shadow" else primary()
    except Exception:
        counts[1] += 1
        if side == "primary":
            raise
    finally:
        counts[0].append((time.monotonic() - started) * 1000)
    return primary()


def flush():
    """Call it every ten seconds and at the end. What cannot be sent is lost; the gates hold without it."""
    sent, operations = dict(recorded), []
    recorded.clear()
    for (cutover, side, place), (durations, errors) in sent.items():
        operations.append(
            {"cutover": cutover, "side": side, "slice": place, "durationsMs": durations, "errors": errors}
        )
    return post("/v1/outcomes", {"operations": operations}, timeout=2) if operations else None
