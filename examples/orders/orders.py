"""Looks orders up: `python orders.py http://127.0.0.1:8000 17 18 19`."""

import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

base, *numbers = sys.argv[1:]
session = requests.Session()
retries = Retry(total=3, backoff_factor=0.05, status_forcelist=[502, 503, 504])
session.mount("http://", HTTPAdapter(max_retries=retries))

for number in numbers:
    try:
        answer = session.get(f"{base}/orders/{number}", timeout=10)
        answer.raise_for_status()
    except requests.RequestException as error:
        print(f"order {number}: {type(error).__name__}")
    else:
        order = answer.json()
        print(f"order {order['number']}: {order['total']} EUR")
