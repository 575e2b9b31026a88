"""Pays for orders, each once: `python pay.py http://127.0.0.1:8000 17 18 19`."""

import sys
import time
import uuid

import httpx

ATTEMPTS = 4


def pay(client: httpx.Client, order: str) -> str:
    """Pay for an order; returns how that ended."""
    # The same for all attempts, so that none of them pays a second time.
    headers = {"Idempotency-Key": f"order-{order}-{uuid.uuid4()}"}
    for attempt in range(ATTEMPTS):
        try:
            answer = client.post("/payments", json={"order": order}, headers=headers)
        except httpx.TransportError as error:
            problem = type(error).__name__
        else:
            if answer.status_code < 500:
                return str(answer.json()["state"])
            problem = str(answer.status_code)
        print(f"order {order}: {problem}")
        time.sleep(0.02 * 2**attempt)
    return "not paid"


base, *orders = sys.argv[1:]
with httpx.Client(base_url=base, timeout=5) as client:
    for order in orders:
        print(f"order {order}: {pay(client, order)}")
