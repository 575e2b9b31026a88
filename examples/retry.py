"""A client that retries, against a server that fails twice and then answers."""

import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

session = requests.Session()
retries = Retry(total=3, backoff_factor=0.1, status_forcelist=[503])
session.mount("http://", HTTPAdapter(max_retries=retries))

for url in sys.argv[1:]:
    answer = session.get(url, timeout=10)
    tries = len(answer.raw.retries.history) + 1
    print(answer.status_code, "in the end, after", tries, "requests")
