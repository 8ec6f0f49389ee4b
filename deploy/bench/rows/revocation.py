"""From the answer to a revocation until another instance refuses the token."""

import http.client
import statistics
import time

from processes import Failed
from stage import GET, SECRET

REVOCATIONS = 300


def revocation(stage):
    upstream = stage.start_upstream()
    first, second = stage.start_postern(upstream, "first"), stage.start_postern(upstream, "second")
    api = http.client.HTTPConnection("127.0.0.1", second.port, timeout=10)

    def status(token):
        api.request("GET", GET, headers={"Authorization": f"Bearer {token}"})
        response = api.getresponse()
        response.read()
        return response.status

    milliseconds = []
    for _ in range(REVOCATIONS):
        token = stage.token(first)
        if status(token) != 200:
            raise Failed("the second instance refused a good token")
        stage.post(first, "/oauth/revoke", f"token={token}&client_id=bench&client_secret={SECRET}")
        revoked_at = time.perf_counter()
        while status(token) != 401:
            if time.perf_counter() - revoked_at > 5:
                raise Failed("a revocation was not heard of in 5 s")
        milliseconds.append((time.perf_counter() - revoked_at) * 1000)
    p99 = statistics.quantiles(milliseconds, n=100)[98]
    stage.row("revocation heard by another instance, p99", p99, "bound", 100, "ms", "<= 1.0")
